# peer_unet.py: the U-Net of bench_unet.c in PyTorch on the CPU, float32, with
# the number of threads and the memory layout that serve it best.  Prints
# `name value unit` lines like bench_unet.
import os
import resource
import sys
import time

import torch
import torch.nn.functional as F

PATIENCE = float(sys.argv[1]) if len(sys.argv) > 1 else 4


class UNet:
    def __init__(self, ch, mult, blocks, attn, layout):
        self.g = torch.Generator().manual_seed(1)
        self.ch, self.T, self.layout = ch, 4 * ch, layout
        self.t0, self.t1 = self.linear(self.T, ch), self.linear(self.T, self.T)
        self.input = self.conv(ch, 3)
        self.down, self.up, skips, w = [], [], [ch], ch
        for s, m in enumerate(mult):
            for _ in range(blocks):
                self.down.append(("res", self.res(w, ch * m)))
                w = ch * m
                if s == attn:
                    self.down.append(("attn", self.attn(w)))
                self.down.append(("skip", None))
                skips.append(w)
            if s < len(mult) - 1:
                self.down += [("down", self.conv(w, w)), ("skip", None)]
                skips.append(w)
        self.middle = [("res", self.res(w, w)), ("attn", self.attn(w)), ("res", self.res(w, w))]
        for s in reversed(range(len(mult))):
            for _ in range(blocks + 1):
                self.up += [("cat", None), ("res", self.res(w + skips.pop(), ch * mult[s]))]
                w = ch * mult[s]
                if s == attn:
                    self.up.append(("attn", self.attn(w)))
            if s > 0:
                self.up.append(("up", self.conv(w, w)))
        self.norm, self.output = self.group(w), self.conv(6, w)

    def rand(self, *shape, k):
        return torch.randn(*shape, generator=self.g) / k ** 0.5

    def linear(self, n, k):
        return self.rand(n, k, k=k), self.rand(n, k=100)

    def conv(self, n, k):
        return self.rand(n, k, 3, 3, k=9 * k).to(memory_format=self.layout), self.rand(n, k=100)

    def group(self, n):
        return torch.ones(n), torch.zeros(n)

    def res(self, k, n):
        return dict(g0=self.group(k), c0=self.conv(n, k), d=self.linear(n, self.T), g1=self.group(n),
                    c1=self.conv(n, n), nin=self.linear(n, k) if k != n else None)

    def attn(self, n):
        return dict(g=self.group(n), q=[self.linear(n, n) for _ in range(4)])

    @staticmethod
    def normed(x, g):
        return F.group_norm(x, min(x.shape[1] // 4, 32), *g, eps=1e-6)

    def run_res(self, b, h, c):
        g = F.conv2d(F.silu(self.normed(h, b["g0"])), *b["c0"], padding=1) + F.linear(c, *b["d"])[:, :, None, None]
        g = F.conv2d(F.silu(self.normed(g, b["g1"])), *b["c1"], padding=1)
        if b["nin"]:
            h = F.conv2d(h, b["nin"][0][:, :, None, None], b["nin"][1])
        return (h + g) * 0.5 ** 0.5

    def run_attn(self, b, h):
        B, C, H, W = h.shape
        n = self.normed(h, b["g"]).flatten(2).transpose(1, 2)
        q, k, v = (F.linear(n, *w)[:, None] for w in b["q"][:3])
        a = F.linear(F.scaled_dot_product_attention(q, k, v)[:, 0], *b["q"][3])
        return (h + a.transpose(1, 2).reshape(B, C, H, W)) * 0.5 ** 0.5

    def walk(self, ops, h, c, skips):
        for kind, b in ops:
            if kind == "res":
                h = self.run_res(b, h, c)
            elif kind == "attn":
                h = self.run_attn(b, h)
            elif kind == "skip":
                skips.append(h)
            elif kind == "cat":
                h = torch.cat([h, skips.pop()], 1)
            elif kind == "down":
                h = F.conv2d(F.pad(h, (0, 1, 0, 1)), *b, stride=2)
            else:
                h = F.conv2d(F.interpolate(h, scale_factor=2.), *b, padding=1)
        return h

    def trunk(self, tok, sigma):
        x = (2. * tok / 256 - 1).view(-1, 3, 32, 32).contiguous(memory_format=self.layout)
        half = self.ch // 2
        e = sigma[:, None] * 1000 * torch.exp(-torch.log(torch.tensor(1e4)) * torch.arange(half) / (half - 1))
        c = F.linear(torch.cat([e.sin(), e.cos()], -1), *self.t0)
        c = F.silu(F.linear(F.silu(c), *self.t1))
        h = F.conv2d(x, *self.input, padding=1)
        skips = [h]
        for ops in (self.down, self.middle, self.up):
            h = self.walk(ops, h, c, skips)
        o = F.conv2d(F.silu(self.normed(h, self.norm)), *self.output, padding=1)
        return torch.tanh(x + o[:, :3]), o[:, 3:]

    def forward(self, tok, sigma):
        mu, scale = (x.flatten(1)[..., None] for x in self.trunk(tok, sigma))
        inv, c = torch.exp(2 - scale), torch.linspace(-1 + 1 / 256, 1 - 1 / 256, 256)
        left, right = F.logsigmoid((c - 1 / 256 - mu) * inv), F.logsigmoid((c + 1 / 256 - mu) * inv)
        return right + torch.log1p(-torch.exp(left - right) + 1e-6)


def best_time(fn):
    """The best time and the least processor time."""
    fn()
    wall, cpu, start = [], [], time.perf_counter()
    while len(wall) < 3 or time.perf_counter() - start < PATIENCE:
        t, p = time.perf_counter(), time.process_time()
        fn()
        wall.append(time.perf_counter() - t)
        cpu.append(time.process_time() - p)
    return min(wall), min(cpu)


def resident_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@torch.inference_mode()
def bench(name, net, batch):
    tok = (torch.arange(batch * 3072) * 7919 % 256).view(batch, 3072)
    sigma = torch.full((batch,), .5)
    cpus = len(os.sched_getaffinity(0))
    wall, cpu = {"trunk": [], "forward": []}, {"trunk": [], "forward": []}
    for threads in sorted({1, cpus}):
        torch.set_num_threads(threads)
        for what in wall:
            w, c = best_time(lambda: getattr(net, what)(tok, sigma))
            wall[what].append(w)
            cpu[what].append(c)
    for what in wall:
        print(f"{name}.{what} {1e3 * min(wall[what]):.3f} ms")
        print(f"{name}.{what}_cpu {1e3 * min(cpu[what]):.3f} ms", flush=True)


if __name__ == "__main__":
    print("# torch", torch.__version__)
    before = resident_mb()
    for layout in torch.contiguous_format, torch.channels_last:
        net = UNet(128, (1, 2, 2, 2), 2, 1, layout)
        for name, batch in ("unet", 1), ("unet8", 8):
            bench(name, net, batch)
            if layout == torch.contiguous_format:   # the second network comes on top of what the first one held
                print(f"{name}.memory {resident_mb() - before:.1f} MB", flush=True)
