# peer_train_unet.py: the training step of bench_train_unet.c in PyTorch on the
# CPU, float32: the network of peer_unet.py with dropout, cross entropy of every
# pixel, clipping, AdamW, average of the weights, with the number of threads,
# the memory layout and the optimiser that serve it best.  Prints `name value
# unit` lines like bench_train_unet.
import os
import sys
import time

import torch
import torch.nn.functional as F

from peer_unet import UNet, resident_mb

PATIENCE = float(sys.argv[1]) if len(sys.argv) > 1 else 4
BATCH, V = 8, 257


def leaves(x):
    if isinstance(x, torch.Tensor):
        return [x] if x.is_floating_point() else []
    if isinstance(x, dict):
        x = list(x.values())
    return [t for y in x for t in leaves(y)] if isinstance(x, (list, tuple)) else []


class Trained(UNet):
    def __init__(self, *shape):
        super().__init__(*shape)
        self.par = leaves([getattr(self, k) for k in ("t0", "t1", "input", "down", "middle", "up", "norm", "output")])
        for p in self.par:
            p.requires_grad_()

    def run_res(self, b, h, c):
        g = F.conv2d(F.silu(self.normed(h, b["g0"])), *b["c0"], padding=1) + F.linear(c, *b["d"])[:, :, None, None]
        g = F.conv2d(F.dropout(F.silu(self.normed(g, b["g1"])), .1), *b["c1"], padding=1)
        if b["nin"]:
            h = F.conv2d(h, b["nin"][0][:, :, None, None], b["nin"][1])
        return (h + g) * 0.5 ** 0.5

    def forward(self, tok, sigma):
        mu, scale = (x.flatten(1)[..., None] for x in self.trunk(tok, sigma))
        inv, c = torch.exp(2 - scale), torch.linspace(-1 + 1 / V, 1 - 1 / V, V)
        left, right = F.logsigmoid((c - 1 / V - mu) * inv), F.logsigmoid((c + 1 / V - mu) * inv)
        return right + torch.log1p(-torch.exp(left - right) + 1e-6)


class Run:
    def __init__(self, layout, fused):
        self.net = Trained(128, (1, 2, 2, 2), 2, 1, layout)
        self.ema = [p.detach().clone() for p in self.net.par]
        self.opt = torch.optim.AdamW(self.net.par, lr=1e-4, weight_decay=0, fused=fused)
        self.clean = torch.arange(BATCH * 3072).view(BATCH, 3072) * 7919 % (V - 1)
        self.tok = torch.where(torch.arange(BATCH * 3072).view(BATCH, 3072) % 3 > 0, V - 1, self.clean)
        self.sigma = torch.zeros(BATCH)

    def loss(self):
        return F.cross_entropy(self.net.forward(self.tok, self.sigma).view(-1, V), self.clean.view(-1))

    def step(self):
        loss = self.loss()
        self.opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.par, 1.)
        self.opt.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.ema, self.net.par, 1e-4)


def best_time(fn):
    fn()
    wall, cpu, start = [], [], time.perf_counter()
    while len(wall) < 3 or time.perf_counter() - start < PATIENCE:
        t, p = time.perf_counter(), time.process_time()
        fn()
        wall.append(time.perf_counter() - t)
        cpu.append(time.process_time() - p)
    return min(wall), min(cpu)


print("# torch", torch.__version__)
before, times = resident_mb(), []
torch.set_num_threads(len(os.sched_getaffinity(0)))
for layout in torch.contiguous_format, torch.channels_last:
    for fused in True, False:
        run = Run(layout, fused)
        times.append(best_time(run.step))
        if len(times) == 1:     # later runs come on top of what the first one held
            memory = resident_mb() - before
with torch.no_grad():
    forward = best_time(run.loss)[0]
print(f"unet8.step {1e3 * min(t[0] for t in times):.3f} ms")
print(f"unet8.step_cpu {1e3 * min(t[1] for t in times):.3f} ms")
print(f"unet8.loss {1e3 * forward:.3f} ms")
print(f"unet8.memory {memory:.1f} MB")
