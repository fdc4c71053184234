"""A Llama in PyTorch, with Hugging Face's tensor names, over a batch of sequences of different lengths."""

import torch
import torch.nn.functional as F
from torch import nn


CONFIG = {
    "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": None,
    "eos_token_id": 2, "head_dim": 64, "hidden_act": "silu", "hidden_size": 256, "initializer_range": 0.02,
    "intermediate_size": 768, "max_position_embeddings": 1024, "mlp_bias": False, "model_type": "llama",
    "num_attention_heads": 4, "num_hidden_layers": 6, "num_key_value_heads": 4, "pad_token_id": 0, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 10000.0, "tie_word_embeddings": False,
    "torch_dtype": "bfloat16", "use_cache": True, "vocab_size": 0,
}


class Layout:
    """Where the tokens of several sequences stand: flat one after another, and padded to [sequences, longest] for attention."""

    def __init__(self, lengths):
        longest = max(lengths)
        rows = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
        self.positions = torch.cat([torch.arange(n) for n in lengths])  # [tokens]
        self.flat_to_padded = rows * longest + self.positions  # [tokens]
        self.shape = (len(lengths), longest)
        self.full = all(n == longest for n in lengths)
        self.mask = torch.full((longest, longest), -1e9).triu(1)[None]


class Norm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), self.weight, self.eps)


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, self.head_dim = config["hidden_size"], config["head_dim"]
        self.heads, self.kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
        self.q_proj = nn.Linear(hidden, self.heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(hidden, self.kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(hidden, self.kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head_dim, hidden, bias=False)

    def forward(self, x, layout, cos, sin):
        tokens, (batch, longest) = x.shape[0], layout.shape
        q = rotate(self.q_proj(x).view(tokens, self.heads, self.head_dim), cos, sin)
        k = rotate(self.k_proj(x).view(tokens, self.kv_heads, self.head_dim), cos, sin)
        v = self.v_proj(x).view(tokens, self.kv_heads, self.head_dim)

        def pad(t):  # [tokens, heads, dim] -> [batch * heads, longest, dim]
            if not layout.full:
                t = t.new_zeros((batch * longest, *t.shape[1:])).index_copy(0, layout.flat_to_padded, t)
            return t.view(batch, longest, *t.shape[1:]).transpose(1, 2).reshape(-1, longest, self.head_dim)

        if self.kv_heads != self.heads:
            k = k.repeat_interleave(self.heads // self.kv_heads, dim=1)
            v = v.repeat_interleave(self.heads // self.kv_heads, dim=1)
        q, k, v = pad(q), pad(k), pad(v)
        # Written out: PyTorch's fused attention has a slow backward on CPUs. Padding stands at the end, where nobody looks.
        scores = torch.baddbmm(layout.mask.to(q.dtype), q, k.transpose(1, 2), alpha=self.head_dim ** -0.5)
        out = torch.bmm(torch.softmax(scores, dim=-1, dtype=scores.dtype), v)
        out = out.view(batch, self.heads, longest, self.head_dim).transpose(1, 2).reshape(batch * longest, -1)
        return self.o_proj(out if layout.full else out[layout.flat_to_padded])


class Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, inner = config["hidden_size"], config["intermediate_size"]
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.input_layernorm = Norm(config["hidden_size"], config["rms_norm_eps"])
        self.self_attn = Attention(config)
        self.post_attention_layernorm = Norm(config["hidden_size"], config["rms_norm_eps"])
        self.mlp = Mlp(config)

    def forward(self, x, layout, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), layout, cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList(Block(config) for _ in range(config["num_hidden_layers"]))
        self.norm = Norm(config["hidden_size"], config["rms_norm_eps"])


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        self.lm_head = nn.Linear(config["hidden_size"], config["vocab_size"], bias=False)
        half = config["head_dim"] // 2
        frequencies = config["rope_theta"] ** (-torch.arange(half).float() / half)
        angles = torch.arange(config["max_position_embeddings"]).float()[:, None] * frequencies
        self.register_buffer("cos", angles.cos()[:, None], persistent=False)  # [positions, 1, head_dim / 2]
        self.register_buffer("sin", angles.sin()[:, None], persistent=False)

    def initialize(self):
        for name, p in self.named_parameters():
            if "norm" in name:
                continue
            if "embed_tokens" in name:
                nn.init.normal_(p, std=0.3)
            elif "o_proj" in name or "down_proj" in name:
                nn.init.zeros_(p)
            else:
                nn.init.normal_(p, std=0.5 * p.shape[1] ** -0.5)

    def forward(self, tokens, lengths, wanted=None):
        """tokens: the sequences one after another; wanted: the positions whose logits are returned, all by default."""
        layout = Layout(lengths)
        x = self.model.embed_tokens(tokens)
        cos, sin = self.cos[layout.positions], self.sin[layout.positions]
        for layer in self.model.layers:
            x = layer(x, layout, cos, sin)
        if wanted is not None:
            x = x[wanted]
        return self.lm_head(self.model.norm(x)).float()
