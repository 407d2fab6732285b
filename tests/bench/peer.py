# peer.py: the same forward passes in PyTorch on the CPU, float32, with the
# number of threads that serves it best.  Prints `name value unit` lines like
# bench_net.  Needs torch; nothing else of psiview needs Python.
import os
import sys
import time

import torch
import torch.nn.functional as F

PATIENCE = float(sys.argv[1]) if len(sys.argv) > 1 else 4


class Net:
    def __init__(self, V, L, d, blocks, heads, cond):
        g = torch.Generator().manual_seed(1)
        w = lambda n, k: torch.randn(n, k, generator=g) / k ** 0.5
        self.d, self.heads, self.L = d, heads, L
        self.emb = torch.randn(V, d, generator=g)
        self.t0, self.t2 = w(cond, 256), w(cond, cond)
        self.tb0, self.tb2 = torch.zeros(cond), torch.zeros(cond)
        self.blocks = [dict(n1=torch.ones(d), qkv=w(3 * d, d), out=w(d, d), n2=torch.ones(d), w0=w(4 * d, d),
                            b0=torch.zeros(4 * d), w2=w(d, 4 * d), b2=torch.zeros(d), ada=w(6 * d, cond),
                            adab=torch.zeros(6 * d)) for _ in range(blocks)]
        self.nf, self.ada, self.adab = torch.ones(d), w(2 * d, cond), torch.zeros(2 * d)
        self.head, self.headb = w(V, d), torch.zeros(V)
        hd = d // heads
        angle = torch.arange(L)[:, None] * 10000. ** (-torch.arange(0, hd, 2) / hd)
        self.cos = torch.cat([angle.cos()] * 2, -1)
        self.sin = torch.cat([-angle.sin(), angle.sin()], -1)

    def rotate(self, x):
        return x * self.cos + torch.roll(x, x.shape[-1] // 2, -1) * self.sin

    def trunk(self, tok, sigma):
        B, L, d, H = tok.shape[0], self.L, self.d, self.heads
        f = torch.exp(-torch.log(torch.tensor(10000.)) * torch.arange(128) / 128)
        e = sigma[:, None] * f
        e = torch.cat([e.cos(), e.sin()], -1)
        c = F.silu(F.linear(F.silu(F.linear(e, self.t0, self.tb0)), self.t2, self.tb2))
        h = self.emb[tok]
        for b in self.blocks:
            s1, c1, g1, s2, c2, g2 = F.linear(c, b["ada"], b["adab"])[:, None].chunk(6, -1)
            a = F.layer_norm(h, (d,), b["n1"]) * (1 + c1) + s1
            q, k, v = F.linear(a, b["qkv"]).view(B, L, 3, H, d // H).permute(2, 0, 3, 1, 4)
            a = F.scaled_dot_product_attention(self.rotate(q), self.rotate(k), v)
            h = torch.addcmul(h, g1, F.linear(a.transpose(1, 2).reshape(B, L, d), b["out"]))
            a = F.layer_norm(h, (d,), b["n2"]) * (1 + c2) + s2
            a = F.linear(F.gelu(F.linear(a, b["w0"], b["b0"]), approximate="tanh"), b["w2"], b["b2"])
            h = torch.addcmul(h, g2, a)
        s, c = F.linear(c, self.ada, self.adab)[:, None].chunk(2, -1)
        return F.layer_norm(h, (d,), self.nf) * (1 + c) + s

    def forward(self, tok, sigma):
        return F.linear(self.trunk(tok, sigma), self.head, self.headb)


def best_time(fn):
    fn()
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < PATIENCE:
        t = time.perf_counter()
        fn()
        times.append(time.perf_counter() - t)
    return min(times)


@torch.inference_mode()
def bench(name, V, L, d, blocks, heads, cond, batch):
    net = Net(V, L, d, blocks, heads, cond)
    tok = (torch.arange(batch * L) * 7919 % V).view(batch, L)
    sigma = torch.full((batch,), .5)
    cpus = len(os.sched_getaffinity(0))
    best = None
    for threads in sorted({1, max(1, cpus // 2), cpus}):
        torch.set_num_threads(threads)
        t = best_time(lambda: net.forward(tok, sigma))
        if best is None or t < best[0]:
            best = t, threads
    torch.set_num_threads(best[1])
    print(f"{name}.forward {1e3 * best[0]:.3f} ms")
    print(f"{name}.trunk {1e3 * best_time(lambda: net.trunk(tok, sigma)):.3f} ms")
    times = []
    for _ in range(5):
        t = time.process_time()
        net.forward(tok, sigma)
        times.append(time.process_time() - t)
    print(f"{name}.forward_cpu {1e3 * min(times):.3f} ms")
    print(f"{name}.threads {best[1]}", flush=True)


print("# torch", torch.__version__)
bench("demo", 35, 128, 128, 4, 4, 128, 1)
bench("demo8", 35, 128, 128, 4, 4, 128, 8)
bench("small", 50258, 1024, 768, 12, 12, 128, 1)
