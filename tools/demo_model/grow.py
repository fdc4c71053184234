"""Puts two layers under the others of a checkpoint, with which a token can find what followed the same tokens before.

    python grow.py --checkpoint FOLDER/checkpoint.pt

To find what belongs to whom, a token must know which tokens stand before it, and look for the place where the same ones stood;
left to itself this model learned everything else first and stayed there. The heads of the first new layer begin by looking 1, 2, 3
and 4 tokens back and write a short code of what they see, each into a part of its own of the residual stream; head j of the
second begins by looking where the code of the token j + 1 back is that of its own token j back. What the two add is small, and
training, which goes on from there, may change all of it.

Distances: queries and keys are one constant vector each, rotated so that their product peaks at the wanted distance. The
constant is added to all embeddings along the direction they use least; the first new layer takes it away again.
"""

import argparse

import torch
from torch.nn.functional import rms_norm

from train import save

SEED = 7
PEAK = 40.0  # attention score at the wanted distance
FAST = 12  # rotary frequencies that tell neighbours apart
SLOW = 14  # rotary frequencies that hardly turn within a context: two dimensions each for codes
CODE_SIZE = 0.6  # of a code, next to the embeddings
COPY_SIZE = 0.3  # of what the second layer adds
MATCH = 8.0  # attention score of equal codes


def distance_heads(config, constant):
    """Query and key matrices; x · constant is about 1 for every token x."""
    dim, half = config["head_dim"], config["head_dim"] // 2
    frequencies = config["rope_theta"] ** (-torch.arange(half).float() / half)
    size = (PEAK * dim ** 0.5 * (torch.arange(half) < FAST).float() / FAST).sqrt()
    query, key = [], []
    for head in range(config["num_attention_heads"]):
        angle = (head + 1) * frequencies  # the key stands that far back: turn it forward by as much
        query.append(torch.cat([size, torch.zeros(half)]))
        key.append(torch.cat([size * angle.cos(), size * angle.sin()]))
    return torch.outer(torch.cat(query), constant), torch.outer(torch.cat(key), constant)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--checkpoint", required=True)
    path = parser.parse_args().checkpoint
    saved = torch.load(path, weights_only=False)
    config, old = saved["config"], saved["model"]
    hidden, inner, dim, heads = (config[k] for k in ("hidden_size", "intermediate_size", "head_dim", "num_attention_heads"))
    assert config["num_key_value_heads"] == heads == 4
    generator = torch.Generator().manual_seed(SEED)

    def draw(rows, columns):
        return torch.randn(rows, columns, generator=generator)

    def layer(query, key, value, output):
        return {
            "input_layernorm.weight": torch.ones(hidden), "post_attention_layernorm.weight": torch.ones(hidden),
            "self_attn.q_proj.weight": query, "self_attn.k_proj.weight": key, "self_attn.v_proj.weight": value,
            "self_attn.o_proj.weight": output, "mlp.gate_proj.weight": 0.5 * hidden ** -0.5 * draw(inner, hidden),
            "mlp.up_proj.weight": 0.5 * hidden ** -0.5 * draw(inner, hidden), "mlp.down_proj.weight": torch.zeros(hidden, inner)}

    embeddings = old["model.embed_tokens.weight"]
    size = embeddings.norm(dim=1).mean()
    direction = torch.linalg.eigh(embeddings.double().T @ embeddings.double()).eigenvectors[:, 0].float()
    added = embeddings + size * direction
    x = rms_norm(added, (hidden,))
    constant = direction / (x @ direction).mean()
    print(f"constant: deviation {(x @ constant).std():.3f} of 1")

    # Five parts of the residual stream at right angles: where a token's own code is read, and where those of 1..4 back go.
    code = 2 * SLOW
    basis = torch.linalg.qr(torch.cat([direction[:, None], draw(hidden, 5 * code)], dim=1)).Q[:, 1:]
    parts = [basis[:, i * code:(i + 1) * code] for i in range(5)]  # [hidden, code] each
    written = CODE_SIZE * size
    value = torch.zeros(heads, dim, hidden)
    output = torch.zeros(hidden, heads, dim)
    value[:, :code] = parts[0].T
    value[:, code] = constant
    for head in range(heads):
        output[:, head, :code] = parts[head + 1] * (written / (x @ parts[0]).norm(dim=1).mean())
        output[:, head, code] = -size * direction / heads
    first = layer(*distance_heads(config, constant), value.view(heads * dim, hidden), output.view(hidden, heads * dim))

    scale = hidden ** 0.5 / (size ** 2 + heads * written ** 2).sqrt()  # of the second layer's norm
    gain = (MATCH * dim ** 0.5) ** 0.5 / (written * scale)
    own = written / (embeddings @ parts[0]).norm(dim=1).mean()
    query, key = torch.zeros(heads, dim, hidden), torch.zeros(heads, dim, hidden)
    slow = torch.cat([torch.arange(dim // 2 - SLOW, dim // 2), torch.arange(dim - SLOW, dim)])
    for head in range(heads):
        query[head, slow] = gain * parts[head].T * (own if head == 0 else 1)
        key[head, slow] = gain * parts[head + 1].T
    value = draw(heads * dim, hidden) * hidden ** -0.5
    output = value.T.contiguous()
    x = rms_norm(embeddings, (hidden,))
    output *= COPY_SIZE * size / (x @ value.T @ output.T).norm(dim=1).mean()
    second = layer(query.view(heads * dim, hidden), key.view(heads * dim, hidden), value, output)

    new = {}
    for index, tensors in enumerate((first, second)):
        new.update({f"model.layers.{index}.{name}": tensor for name, tensor in tensors.items()})
    for name, tensor in old.items():
        tensor = added if name == "model.embed_tokens.weight" else tensor
        words = name.split(".")
        if words[1] == "layers":
            words[2] = str(int(words[2]) + 2)
        new[".".join(words)] = tensor
    saved["model"] = new
    config["num_hidden_layers"] += 2
    saved["optimizers"] = None  # momentum starts anew
    saved["args"]["layers"] = config["num_hidden_layers"]
    saved["state"].setdefault("grown", []).append(saved["state"]["step"])
    save(path, saved)
    print(f"{config['num_hidden_layers']} layers")


if __name__ == "__main__":
    main()
