# peer_train.py: the training steps of bench_train.c in PyTorch on the CPU,
# float32, with the number of threads and the optimiser that serve it best:
# uniform noise, its bound as published, dropout 0.1, clipping, AdamW, average
# of the weights.  Prints `name value unit` lines like bench_train.
import os
import resource
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

PATIENCE = float(sys.argv[1]) if len(sys.argv) > 1 else 4


class Block(nn.Module):
    def __init__(self, d, heads, cond):
        super().__init__()
        self.heads, self.d = heads, d
        self.n1, self.n2 = (nn.Parameter(torch.ones(d)) for _ in range(2))
        self.qkv, self.out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.w0, self.w2, self.ada = nn.Linear(d, 4 * d), nn.Linear(4 * d, d), nn.Linear(cond, 6 * d)

    def forward(self, h, c, rotate):
        B, L, d = h.shape
        s1, c1, g1, s2, c2, g2 = self.ada(c)[:, None].chunk(6, -1)
        a = F.layer_norm(h, (d,), self.n1) * (1 + c1) + s1
        q, k, v = self.qkv(a).view(B, L, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(rotate(q), rotate(k), v).transpose(1, 2).reshape(B, L, d)
        h = torch.addcmul(h, g1, F.dropout(self.out(a), .1))
        a = F.layer_norm(h, (d,), self.n2) * (1 + c2) + s2
        a = self.w2(F.gelu(self.w0(a), approximate="tanh"))
        return torch.addcmul(h, g2, F.dropout(a, .1))


class Net(nn.Module):
    def __init__(self, V, L, d, blocks, heads, cond):
        super().__init__()
        self.emb = nn.Embedding(V, d)
        self.t0, self.t2 = nn.Linear(256, cond), nn.Linear(cond, cond)
        self.blocks = nn.ModuleList(Block(d, heads, cond) for _ in range(blocks))
        self.nf, self.ada, self.head = nn.Parameter(torch.ones(d)), nn.Linear(cond, 2 * d), nn.Linear(d, V)
        hd = d // heads
        angle = torch.arange(L)[:, None] * 10000. ** (-torch.arange(0, hd, 2) / hd)
        self.cos = torch.cat([angle.cos()] * 2, -1)
        self.sin = torch.cat([-angle.sin(), angle.sin()], -1)
        self.f = torch.exp(-torch.log(torch.tensor(10000.)) * torch.arange(128) / 128)

    def rotate(self, x):
        return x * self.cos + torch.roll(x, x.shape[-1] // 2, -1) * self.sin

    def forward(self, tok, sigma):
        e = sigma[:, None] * self.f
        c = F.silu(self.t2(F.silu(self.t0(torch.cat([e.cos(), e.sin()], -1)))))
        h = self.emb(tok)
        for b in self.blocks:
            h = b(h, c, self.rotate)
        s, k = self.ada(c)[:, None].chunk(2, -1)
        return self.head(F.layer_norm(h, h.shape[-1:], self.nf) * (1 + k) + s)


def bound(logits, x, z, alpha, slope):
    """The uniform bound in the published closed form (arXiv 2412.10193)."""
    V = logits.shape[-1]
    p = logits.softmax(-1)
    a = alpha[:, None]
    xbar, tbar = V * a[..., None] * F.one_hot(x, V) + 1 - a[..., None], V * a[..., None] * p + 1 - a[..., None]
    xz, tz = (t.gather(-1, z[..., None]) for t in (xbar, tbar))
    log = (xbar / xz * (tz.log() + xbar.log() - tbar.log() - xz.log())).sum(-1)
    return -slope[:, None] / (V * a) * (log - V / xz[..., 0] + V / tz[..., 0])


class Run:
    def __init__(self, V, L, d, blocks, heads, cond, batch, fused):
        torch.manual_seed(1)
        self.V, self.L, self.batch = V, L, batch
        self.net = Net(V, L, d, blocks, heads, cond)
        self.par = list(self.net.parameters())
        self.ema = [p.detach().clone() for p in self.par]
        self.opt = torch.optim.AdamW(self.par, lr=1e-4, weight_decay=0, fused=fused)

    def step(self):
        x = torch.randint(self.V, (self.batch, self.L))
        t = ((torch.rand(self.batch) + torch.arange(self.batch)) / self.batch) * .999 + 1e-3
        alpha = 1 - .999 * t
        z = torch.where(torch.rand(self.batch, self.L) < alpha[:, None], x, torch.randint(self.V, x.shape))
        loss = bound(self.net(z, -alpha.log()), x, z, alpha, torch.full_like(t, -.999)).mean()
        self.opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.par, 1.)
        self.opt.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.ema, self.par, 1e-4)


def best_time(fn, patience):
    fn()
    wall, cpu, start = [], [], time.perf_counter()
    while len(wall) < 3 or time.perf_counter() - start < patience:
        t, p = time.perf_counter(), time.process_time()
        fn()
        wall.append(time.perf_counter() - t)
        cpu.append(time.process_time() - p)
    return min(wall), min(cpu)


def resident_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench(name, *shape):
    before, times = resident_mb(), []
    cpus = len(os.sched_getaffinity(0))
    for threads in sorted({1, cpus}):
        torch.set_num_threads(threads)
        for fused in False, True:
            times.append(best_time(Run(*shape, fused).step, PATIENCE / 2))
            if len(times) == 1:     # later runs come on top of what the first one held
                memory = resident_mb() - before
    print(f"{name}.step {1e3 * min(t[0] for t in times):.3f} ms")
    print(f"{name}.step_cpu {1e3 * min(t[1] for t in times):.3f} ms")
    print(f"{name}.memory {memory:.1f} MB", flush=True)


print("# torch", torch.__version__)
ONLY = sys.argv[3] if len(sys.argv) > 3 else None
for name, shape in {"sudoku6": (7, 37, 160, 4, 5, 32, 128), "text-tiny": (66, 128, 128, 4, 4, 64, 32),
                    "text-small": (66, 256, 256, 6, 8, 128, 32)}.items():
    if ONLY in (None, name):
        sys.stdout.flush()
        if (child := os.fork()) == 0:   # its memory is its own
            bench(name, *shape)
            os._exit(0)
        os.waitpid(child, 0)
