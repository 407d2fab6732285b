# demos.sh: the recipes of the bundled demos: the program takes them, and what
# `make demos` runs trains, goes on and puts the result in its place.
set -u
. "$SRCDIR/tests/tap.sh"
cd "$scratch" || exit 99

point()
{
	local name=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then : >"$scratch/out"; else echo "failed: $*" >>"$scratch/out"; fi
	report "$name" "$scratch/out"
}

for ((i = 0; i < 200; i++)); do
	echo "First Citizen: before we proceed any further, hear me speak. All: speak, speak!"
done >text.txt
n=0
for recipe in "$SRCDIR"/data/recipes/*; do
	name=${recipe##*/}
	case $name in *.*) continue ;; esac
	options=(--dry-run $(grep '^--' "$recipe"))
	[[ $name != shakespeare-* ]] || options+=(--data=text.txt)
	"$PSIVIEW" train "${options[@]}" out.safetensors >said 2>&1
	point "$name can be trained" [ $? -eq 0 ]
	loss=duo_base
	[[ $name != *-mdlm ]] || loss=mdlm
	point "by the loss its name says" grep -qw -- "$loss" said
	n=$((n + 1))
done
point "there are recipes" [ $n -gt 0 ]

# --- the script, with a recipe of a few steps ---
mkdir -p data/recipes
cat >data/recipes/sudoku4 <<'END'
# a comment
--sudoku=4
--hidden=16
--blocks=1
--heads=2
--cond=8
--batch=4
--steps=4
--log-every=1
--valid-samples=4
then --steps=6
END
sed '/--sudoku/d' data/recipes/sudoku4 >data/recipes/shakespeare-x
train() { sh "$SRCDIR/data/recipes/train.sh" "$PSIVIEW" "$@"; }
train data/recipes/sudoku4 nowhere work >said 2>&1
point "a model" [ $? -eq 0 ]
"$PSIVIEW" info data/sudoku4.safetensors >said
point "that opens, of f16" grep -qi 'f16' said
"$PSIVIEW" info work/sudoku4.safetensors >said
point "that was gone on with" grep -q 'step 6 of 6' said
"$PSIVIEW" sample data/sudoku4.safetensors -n 2 --steps 2 >said
point "sampled, it stands in rows" [ "$(grep -cE '^[^ ]+( [^ ]+){3}$' said)" -eq 8 ]
point "with an empty line between two" [ "$(wc -l <said)" -eq 9 ]
cp data/sudoku4.safetensors first
train data/recipes/sudoku4 nowhere work >said 2>&1
point "once more: the same, without training" cmp first data/sudoku4.safetensors
grep -c '"event":"valid"' data/recipes/sudoku4.log.jsonl >got
point "its log holds the validations" [ "$(cat got)" -ge 1 ]
grep -c '"event":"step"' data/recipes/sudoku4.log.jsonl >got
point "and few steps" [ "$(cat got)" -eq 0 ]
train data/recipes/shakespeare-x nowhere work >said 2>&1
point "a text that is not there" [ $? -ne 0 ]
point "is told" grep -q 'DEMO_TEXT' said
train data/recipes/shakespeare-x text.txt work >said 2>&1
point "one that is there is learned" [ -s data/shakespeare-x.safetensors ]

finish
