#!/bin/sh
# train.sh PSIVIEW RECIPE TEXT FOLDER: train the model of a recipe and put its
# averaged weights with the smallest validation bound (f16) and its log beside
# the other demos.  Run it again after an interruption and it goes on; a model
# that is done is only copied.  The work lies in FOLDER.  TEXT: what models of
# text learn from.
set -e
psiview=$1 recipe=$2 text=$3 folder=$4
name=$(basename "$recipe")
data=$(dirname "$recipe")/..
out=$folder/$name.safetensors

mkdir -p "$folder"
set -- $(grep '^--' "$recipe")
case $name in
shakespeare-*)
	[ -r "$text" ] || { echo "$name: DEMO_TEXT=FILE names the works of Shakespeare; '$text' is not there" >&2; exit 1; }
	set -- "$@" "--data=$text" ;;
esac
if [ -e "$out" ]; then
	set -- --resume
fi
"$psiview" train "$@" "$out"
sed -n 's/^then //p' "$recipe" | while read -r more; do
	"$psiview" train --resume "$more" "$out" </dev/null
done
"$psiview" export "$folder/$name.best.safetensors" -o "$data/$name.safetensors" --dtype f16

# The log without most of its steps: the lines of a validation, the others'
# every 250th step.
awk '!/"event":"step"/ || /"step":[0-9]*(00|50),/ && /"step":([0-9]*[05]00|[0-9]*[27]50),/' \
	"$folder/$name.log.jsonl" >"$data/recipes/$name.log.jsonl"
