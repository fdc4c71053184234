"""DeciLM (Nemotron-NAS), which transformers has no class of: its layers put together of transformers' own Llama parts, as the models' pages
and llama.cpp's converter describe them. Of each layer block_configs says whether attention has key-value heads of its own, is one matrix
(self_attn.linear_attn) or is left out, and the feed-forward block likewise (mlp.linear_mlp); both stand behind a norm on the residual.

This is the oracle of tests/golden/models/deci*; there is no other."""

import copy

import torch
import transformers
from huggingface_hub.dataclasses import strict
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, LlamaPreTrainedModel, LlamaRMSNorm, LlamaRotaryEmbedding

UNKNOWN = {"attention": ("window_length", "num_sink_tokens", "sparsify", "unshifted_sink", "use_prefill_window_in_sink_attention"), "ffn": ("sparsify",)}


@strict
class DeciLMConfig(transformers.LlamaConfig):
    model_type = "nemotron-nas"
    intermediate_size: int | None = None
    block_configs: list | None = None
    num_key_value_heads_per_layer: list[int] | None = None


def width_of(multiplier, hidden):
    width = int(2 * round(multiplier, 6) * hidden / 3)
    return (width + 255) // 256 * 256


class LinearMixer(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.linear_attn = torch.nn.Linear(config.hidden_size, config.hidden_size, bias=config.attention_bias)

    def forward(self, hidden_states, **_):
        return self.linear_attn(hidden_states), None


class LinearFeedForward(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.linear_mlp = torch.nn.Linear(config.hidden_size, config.hidden_size, bias=config.mlp_bias)

    def forward(self, hidden_states):
        return self.linear_mlp(hidden_states)


class Layer(torch.nn.Module):
    def __init__(self, config, index):
        super().__init__()
        own = copy.copy(config)
        if config.block_configs is None:
            own.num_key_value_heads = config.num_key_value_heads_per_layer[index]
            block = {"attention": {"n_heads_in_group": config.num_attention_heads // own.num_key_value_heads}, "ffn": {}}
        else:
            block = config.block_configs[index]
        attention, ffn = block["attention"], block["ffn"]
        for part, keys in UNKNOWN.items():
            for key in keys:
                if block[part].get(key):
                    raise NotImplementedError(key)
        if not attention.get("no_op"):
            self.input_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
            if attention.get("replace_with_linear"):
                self.self_attn = LinearMixer(config)
            else:
                own.num_key_value_heads = config.num_attention_heads // attention["n_heads_in_group"]
                own.head_dim = config.hidden_size // config.num_attention_heads
                self.self_attn = LlamaAttention(own, index)
        if not ffn.get("no_op"):
            self.post_attention_layernorm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
            if "ffn_mult" in ffn:
                own.intermediate_size = width_of(ffn["ffn_mult"], config.hidden_size)
            self.mlp = LinearFeedForward(config) if ffn.get("replace_with_linear") else LlamaMLP(own)

    def forward(self, x, angles, mask):
        if hasattr(self, "self_attn"):
            x = x + self.self_attn(self.input_layernorm(x), position_embeddings=angles, attention_mask=mask)[0]
        return x + self.mlp(self.post_attention_layernorm(x)) if hasattr(self, "mlp") else x


class DeciLMModel(LlamaPreTrainedModel):
    config_class = DeciLMConfig

    def __init__(self, config):
        super().__init__(config)
        if len(config.block_configs or config.num_key_value_heads_per_layer) != config.num_hidden_layers:
            raise ValueError("one entry a layer is expected")
        if config.hidden_size % config.num_attention_heads != 0:
            raise ValueError("heads do not make the hidden size")
        self.embed_tokens = torch.nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = torch.nn.ModuleList([Layer(config, i) for i in range(config.num_hidden_layers)])
        self.norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config)
        self.post_init()

    def forward(self, input_ids):
        x, n = self.embed_tokens(input_ids), input_ids.shape[1]
        mask = torch.full((n, n), torch.finfo(x.dtype).min, dtype=x.dtype).triu(1)[None, None]
        angles = self.rotary_emb(x, torch.arange(n)[None])
        for layer in self.layers:
            x = layer(x, angles, mask)
        return self.norm(x)


class DeciLMForCausalLM(LlamaPreTrainedModel):
    config_class = DeciLMConfig
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config):
        super().__init__(config)
        self.model = DeciLMModel(config)
        self.lm_head = torch.nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def forward(self, input_ids, use_cache=False):
        return CausalLMOutputWithPast(logits=self.lm_head(self.model(input_ids)))


transformers.DeciLMConfig, transformers.DeciLMForCausalLM = DeciLMConfig, DeciLMForCausalLM
