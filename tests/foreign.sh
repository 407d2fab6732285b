# foreign.sh: files that are something else get one line that says what they
# seem to be and what is supported, by content, whatever they are called.
set -u
. "$SRCDIR/tests/tap.sh"
cd "$scratch" || exit 99

# says WORDS FILE: status 3 and one line with WORDS and what psiview opens.
says()
{
	local rc
	"$PSIVIEW" info "$2" >said.out 2>said.err
	rc=$?
	: >out
	[ $rc -eq 3 ] || echo "status $rc" >>out
	[ "$(wc -l <said.err)" -eq 1 ] || echo "not one line" >>out
	grep -qF -- "$1" said.err || echo "does not say '$1'" >>out
	grep -q "psiview opens" said.err || echo "does not say what is supported" >>out
	[ ! -s said.out ] || echo "wrote to standard output" >>out
	[ ! -s out ] || cat said.err >>out
	report "${2##*/}: $1" out
}

# bytes WORDS FORMAT: a file called model.ckpt that begins like this.
bytes()
{
	printf "$2%0200d" 0 >model.ckpt
	says "$1" model.ckpt
}

# names WORDS NAME...: a safetensors file whose tensors are called so.
names()
{
	local words=$1 header='' at=0
	shift
	for n in "$@"; do
		header="$header,\"$n\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[$at,$((at + 4))]}"
		at=$((at + 4))
	done
	header="{${header#,}}"
	printf "\\x$(printf %02x $((${#header} & 255)))\\x$(printf %02x $((${#header} >> 8)))\\0\\0\\0\\0\\0\\0%s" "$header" >model.safetensors
	head -c $at /dev/zero >>model.safetensors
	says "$words" model.safetensors
}

bytes "GGUF" 'GGUF\3\0\0\0'
bytes "ONNX" '\10\10\22\7pytorch\32\0031.0'
bytes "PNG picture" '\211PNG\r\n\32\n'
bytes "JPEG picture" '\377\330\377\340'
bytes "GIF picture" 'GIF89a'
bytes "gzip" '\37\213\10\0'
bytes "bzip2" 'BZh91AY'
bytes "xz" '\3757zXZ\0'
bytes "zstd" '\50\265\57\375'
bytes "HDF5" '\211HDF\r\n\32\n'
bytes "NumPy array" '\223NUMPY\1\0'
bytes "PDF" '%%PDF-1.4\n'
bytes "program" '\177ELF\2\1\1'
bytes "TensorFlow Lite" '\34\0\0\0TFL3'
bytes "scikit-learn" '\200\4\225\0\0\0\0\0\0\0\0\214\43sklearn.linear_model._base'
bytes "NumPy arrays" '\200\3cnumpy.core.multiarray\n'
bytes "bare pickle" '\200\2}q\0.'
bytes "Keras model" 'PK\3\4\24\0\0\0config.jsonmodel.weights.h5'
bytes "TorchScript" 'PK\3\4\24\0\0\0a/code/__torch__/a.py'
bytes ".npz" 'PK\3\4\24\0\0\0arr_0.npy'
bytes "Git LFS" 'version https://git-lfs.github.com/spec/v1\noid sha256:1\n'
bytes "HTML" '<!DOCTYPE html><html>'
bytes "script" '#!/bin/sh\n'
bytes "text file" 'Once upon a time\n'
printf '{"a": 1}\n' >some.json
says "text file" some.json
: >empty.ckpt
says "empty" empty.ckpt

names "Stable Diffusion" model.diffusion_model.input_blocks.0.0.weight first_stage_model.encoder.conv_in.weight
names "LLaMA" model.embed_tokens.weight model.layers.0.self_attn.q_proj.weight
names "BERT" bert.embeddings.word_embeddings.weight bert.encoder.layer.0.attention.self.query.weight
names "T5" encoder.block.0.layer.0.SelfAttention.q.weight shared.weight
names "diffusers U-Net" down_blocks.0.resnets.0.conv1.weight conv_in.weight
names "LoRA" lora_unet_down_blocks_0.lora_down.weight
mkdir llama diffusers
mv model.safetensors llama
printf '{"model_type": "llama", "hidden_size": 4}\n' >llama/config.json
says "LoRA" llama
printf '{"_class_name": "StableDiffusionPipeline"}\n' >diffusers/model_index.json
says "diffusers" diffusers

# Written by torch.save.
f=$SRCDIR/tests/golden/foreign
says "Stable Diffusion" "$f/sd.ckpt"
says "LLaMA" "$f/llama.bin"
says "before PyTorch 1.6" "$f/legacy.pt"

finish
