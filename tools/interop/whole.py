"""Whole models: quantized and saved by the library that owns a container, and opened by it when this program wrote them.

`makers(library)` gives (name, make): make(source, out) saves a quantized checkpoint of the folder `source` and returns the logits
that the library computes with it (None: it cannot on a CPU). `readers(library)` gives (name, open, quantizes activations): open(folder) returns a callable
from token ids to logits. IDS are the tokens that are asked for. A library that cannot do a thing raises, and says why.
"""

import copy
import json
import os
import pathlib

import torch

IDS = torch.arange(20, 52)[None]
os.environ.setdefault("GPTQMODEL_CPU_WORKERS", "2")  # its pools want two workers, whatever the machine has


def logits(model):
    with torch.no_grad():
        return model(IDS).logits.float()


def transformers_model(folder, dtype=torch.float32, **more):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, device_map="cpu", **more).eval()


def open_with_transformers(folder):
    try:
        return logits(transformers_model(folder))
    except RuntimeError as error:  # kernels that compute in bfloat16 only
        if "dtype" not in str(error):
            raise
        return logits(transformers_model(folder, torch.bfloat16))


# ---------------------------------------------------------------- compressed-tensors


def _ct(bits, symmetric=True):
    def make(source, out):
        from compressed_tensors.compressors import ModelCompressor
        from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig, QuantizationScheme, apply_quantization_config
        from compressed_tensors.quantization.utils import calculate_qparams

        model = transformers_model(source)
        weights = QuantizationArgs(num_bits=bits, strategy="group", group_size=32, symmetric=symmetric)
        apply_quantization_config(model, QuantizationConfig(
            config_groups={"group_0": QuantizationScheme(targets=["Linear"], weights=weights)}, ignore=["lm_head"]))
        for module in model.modules():
            if getattr(module, "quantization_scheme", None) is None:
                continue
            groups = module.weight.detach().reshape(module.weight.shape[0], -1, 32)
            scale, zero = calculate_qparams(groups.amin(-1), groups.amax(-1), weights)
            module.weight_scale.data = scale.to(module.weight_scale.dtype)
            if hasattr(module, "weight_zero_point"):
                module.weight_zero_point.data = zero.to(module.weight_zero_point.dtype)
        answer = logits(model)
        compressor = ModelCompressor.from_pretrained_model(model)
        compressor.compress_model(model)
        model.save_pretrained(out)
        compressor.update_config(out)
        return answer

    return make


# ---------------------------------------------------------------- transformers with bitsandbytes


def _bnb(**arguments):
    def make(source, out):
        from transformers import BitsAndBytesConfig

        config = BitsAndBytesConfig(**arguments)
        # Saved before anything ran: the first multiplication on a CPU turns 4-bit weights into its kernel's order for good.
        transformers_model(source, quantization_config=config).save_pretrained(out)
        return logits(transformers_model(out))

    return make


# ---------------------------------------------------------------- gptqmodel


def _gptqmodel(**arguments):
    def make(source, out):
        from gptqmodel import GPTQModel, QuantizeConfig

        model = GPTQModel.load(str(source), QuantizeConfig(**arguments), device="cpu")
        rows = [torch.arange(i, 64 + i)[None] % 270 for i in range(64)]
        model.quantize([{"input_ids": ids, "attention_mask": torch.ones_like(ids)} for ids in rows], batch_size=1)
        model.save(str(out))
        return open_with_gptqmodel(out)

    return make


def open_with_gptqmodel(folder):
    from gptqmodel import GPTQModel

    return logits(GPTQModel.load(str(folder), device="cpu").model)


# ---------------------------------------------------------------- auto-round


def _autoround(form, symmetric):
    def make(source, out):
        from auto_round import AutoRound
        from transformers import AutoTokenizer

        rows = torch.stack([torch.arange(i, 64 + i) % 270 for i in range(8)])
        AutoRound(transformers_model(source), AutoTokenizer.from_pretrained(source), bits=4, group_size=32, sym=symmetric, iters=0,
                  nsamples=4, seqlen=32, device_map="cpu", dataset=rows, disable_opt_rtn=True).quantize_and_save(str(out), format=form)
        for path in [] if (out / "config.json").exists() else list(out.glob("*/*")):
            path.rename(out / path.name)  # some versions save into a folder named after the scheme
        try:
            return open_with_transformers(out)
        except ImportError:  # for gptq and awq it asks for optimum and gptqmodel
            return None


    return make


# ---------------------------------------------------------------- hqq


def _hqq(axis):
    def make(source, out):
        from hqq.core.quantize import BaseQuantizeConfig
        from hqq.models.hf.base import AutoHQQHFModel

        model = transformers_model(source)
        model.config.tie_word_embeddings = False  # save_to_safetensors does not know of tied tensors
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
        AutoHQQHFModel.quantize_model(model, quant_config=BaseQuantizeConfig(nbits=4, group_size=64, axis=axis),
                                      compute_dtype=torch.float32, device="cpu")
        AutoHQQHFModel.save_to_safetensors(model, str(out) + "/")
        # It writes no quantization_config; this is what transformers wants to see.
        config = json.loads((out / "config.json").read_text())
        params = {"nbits": 4, "group_size": 64, "axis": axis}
        config["quantization_config"] = {"quant_method": "hqq", "skip_modules": ["lm_head"], "quant_config": {"weight_quant_params": params}}
        (out / "config.json").write_text(json.dumps(config))
        return logits(model)

    return make


def open_with_hqq(folder):
    """AutoHQQHFModel.from_quantized, which wants one pickle a model: its file is replaced by the safetensors of the folder."""
    from hqq.models.hf.base import AutoHQQHFModel
    from safetensors.torch import load_file

    class FromSafetensors(AutoHQQHFModel):
        @classmethod
        def get_weight_file(cls, save_dir):
            return str(save_dir)

        @classmethod
        def load_weights(cls, save_dir, map_location=None):
            modules = {}
            for path in pathlib.Path(save_dir).glob("*.safetensors"):
                for name, tensor in load_file(path).items():
                    modules.setdefault(name.rpartition(".")[0], {})[name.rpartition(".")[2]] = tensor
            modules.setdefault("lm_head", {"weight": modules["model.embed_tokens"]["weight"]})
            return modules

    plain = pathlib.Path(folder).with_name("hqq_config_only")
    plain.mkdir(exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    config.pop("quantization_config", None)  # else transformers takes the loading over
    (plain / "config.json").write_text(json.dumps(config))
    for path in plain.glob("*.safetensors"):
        path.unlink()
    for path in pathlib.Path(folder).glob("*.safetensors"):
        (plain / path.name).write_bytes(path.read_bytes())
    model = FromSafetensors.from_quantized(str(plain), compute_dtype=torch.float32, device="cpu")
    return logits(model.float())


# ---------------------------------------------------------------- Model-Optimizer


def _modelopt(config, cache=None, runs=True):
    def make(source, out):
        import modelopt.torch.quantization as mtq
        from modelopt.torch.export import export_hf_checkpoint

        settings = copy.deepcopy(getattr(mtq, config))
        if cache:
            more = copy.deepcopy(getattr(mtq, cache))["quant_cfg"]
            before = settings["quant_cfg"]
            settings["quant_cfg"] = before + more if isinstance(before, list) else {**before, **more}
        model = transformers_model(source)
        mtq.quantize(model, settings, lambda m: [m(IDS + i) for i in (0, 40, 100)])
        # The toolkit computes block formats on CUDA only.
        answer = logits(model) if runs else None
        export_hf_checkpoint(model, export_dir=str(out))
        return answer

    return make


def makers(library):
    return {
        "compressed-tensors": [("int4 g32", _ct(4)), ("int4 g32 with zeros", _ct(4, symmetric=False))],
        "bitsandbytes": [("nf4", _bnb(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)),
                         ("nf4 nested", _bnb(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                                             bnb_4bit_compute_dtype=torch.float32)),
                         ("LLM.int8", _bnb(load_in_8bit=True))],
        "gptqmodel": [("gptq int4 g32 act-order", _gptqmodel(bits=4, group_size=32, sym=True, desc_act=True)),
                      ("awq int4 g32", _gptqmodel(bits=4, group_size=32, quant_method="awq", format="gemm"))],
        "auto-round": [("auto_round", _autoround("auto_round", True)), ("auto_awq", _autoround("auto_awq", False)),
                       ("auto_gptq", _autoround("auto_gptq", True))],
        "hqq": [("int4 g64 axis 1", _hqq(1)), ("int4 g64 axis 0", _hqq(0))],
        "modelopt": [(name, _modelopt(*configs)) for name, configs in (
            ("FP8", ("FP8_DEFAULT_CFG",)), ("FP8, FP8 cache", ("FP8_DEFAULT_CFG", "FP8_KV_CFG")),
            ("FP8 per channel", ("FP8_PER_CHANNEL_PER_TOKEN_CFG",)), ("FP8 blocks", ("FP8_2D_BLOCKWISE_WEIGHT_ONLY_CFG",)),
            ("NVFP4", ("NVFP4_DEFAULT_CFG", None, False)), ("W4A16_NVFP4", ("W4A16_NVFP4_CFG", None, False)),
            ("W4A16_AWQ", ("INT4_AWQ_CFG",)), ("MXFP8", ("MXFP8_DEFAULT_CFG", None, False)), ("INT8", ("INT8_DEFAULT_CFG",)), ("INT8 SmoothQuant", ("INT8_SMOOTHQUANT_CFG",)))],
    }.get(library, [])


def readers(library):
    """What opens a whole checkpoint of ours and runs it."""
    return {
        "gptqmodel": [("gptqmodel", open_with_gptqmodel), ("transformers", open_with_transformers)],
        "hqq": [("hqq", open_with_hqq), ("transformers", open_with_transformers)],
        "modelopt": [],
    }.get(library, [("transformers", open_with_transformers)])
