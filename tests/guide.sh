# guide.sh: guidance from the command line, over a text model with labels: both
# conditions in every call, the noise removal step included, and classifiers
# that are refused.
set -u
. "$SRCDIR/tests/tap.sh"
model=$SRCDIR/tests/golden/hf/udlm-cfg
guide=$SRCDIR/tests/golden/classifier/dit.safetensors

sample()
{
	"$PSIVIEW" sample "$model" --steps 6 --format jsonl "$@" 2>&1
}

# expect NAME CALLS OPTION...: that many network calls in each step that asks the network
expect()
{
	name=$1 calls=$2
	shift 2
	sample "$@" | grep -oE '"step":[0-9]+[^}]*}[^}]*"network_calls":[0-9]+' | grep -oE '[0-9]+$' |
		grep -vx -e 0 -e "$calls" >"$scratch/out"
	sample "$@" | grep -q '"network_calls":' || echo "no calls" >>"$scratch/out"
	report "$name" "$scratch/out"
}
expect "cfg 1: one call a step" 1 --label 1
expect "cfg 0: one call a step" 1 --label 1 --cfg 0
expect "cfg 2: two calls a step, the last included" 2 --label 1 --cfg 2
expect "mixed posteriors: two as well" 2 --label 1 --cfg 2 --cfg-mix posterior

# refused STATUS TEXT OPTION...
refused()
{
	status=$1 text=$2
	shift 2
	sample "$@" >"$scratch/said"
	[ "$?" -eq "$status" ] && [ "$(wc -l <"$scratch/said")" -eq 1 ] && grep -qF -- "$text" "$scratch/said" &&
		: >"$scratch/said"
	report "refused: $text" "$scratch/said"
}
refused 2 "guidance needs a label" --label none --cfg 2
refused 2 "there is no classifier" --label 1 --cls 2
refused 2 "labels 0 to 2" --label 7
refused 3 "are not those of the model" --classifier "$guide"
refused 3 "not a classifier" --classifier "$SRCDIR/tests/golden/demo/duo-text8.safetensors"

finish
