# sweep.sh: `psiview sweep` from outside: the shape of its rows, that they do
# not depend on threads and batches, shared noise, what is refused, what an
# interruption leaves.
set -u
. "$SRCDIR/tests/tap.sh"
cd "$scratch" || exit 99
demo=$PSIVIEW_DATADIR/duo-text8.safetensors

point()
{
	local name=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then : >"$scratch/out"; else echo "failed: $*" >>"$scratch/out"; fi
	report "$name" "$scratch/out"
}

# refuse STATUS WORDS ARGS...: one line with WORDS, that status, nothing written.
refuse()
{
	local want=$1 words=$2 rc
	shift 2
	timeout 60 "$PSIVIEW" sweep "$@" -o refused.csv </dev/null >said.out 2>said.err
	rc=$?
	: >out
	[ $rc -eq "$want" ] || echo "status $rc, not $want" >>out
	[ "$(wc -l <said.err)" -eq 1 ] || echo "not one line" >>out
	grep -qF -- "$words" said.err || echo "does not say '$words'" >>out
	[ ! -s said.out ] || echo "wrote to standard output" >>out
	for f in refused.csv*; do [ ! -e "$f" ] || echo "left $f" >>out; done
	[ ! -s out ] || cat said.err >>out
	report "refused: $(head -n 1 said.err | cut -c 10- | sed "s|$scratch||g" | cut -c 1-90)" out
}

# column NAME FILE: a column of CSV without quotes.
column() { awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i; next } { print $at }' "$2"; }
# Rows without the time, which nothing can repeat.
steady() { awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "ms") at = i } { $at = ""; print }' "$@"; }
sweep() { "$PSIVIEW" sweep "$demo" --grid kappa=1,.5 --grid steps=3,5 --seeds 2 -n 3 --seed 7 --top-p 1 "$@"; }

# --- rows ---
sweep -o one.csv -t 1 --batch 1 >table
point "a sweep" [ $? -eq 0 ]
point "a row for each cell and seed, and a head" [ "$(wc -l <one.csv)" -eq 9 ]
head -n 1 one.csv >head
point "its columns" grep -qx 'kappa,steps,seed,samples,entropy,valid,generative_perplexity,bound,bound_error,network_calls,head_rows,ms,recipe' head
awk -F, 'NF != 13' one.csv >out
report "every row has them all" out
column kappa one.csv | xargs >got
point "cell by cell" grep -qx '1 1 1 1 .5 .5 .5 .5' got
column seed one.csv | xargs >got
point "seed by seed" grep -qx '7 8 7 8 7 8 7 8' got
column network_calls one.csv | xargs >got
point "network calls: at most a step and one for the end" grep -qx '4 4 6 6 4 4 6 6' got
grep -c ' +- ' table >got
point "a table with intervals and differences" [ "$(cat got)" -eq 7 ]
grep -q 'valid\|perplexity' table
point "without what was not measured" [ $? -ne 0 ]

# --- the same numbers ---
sweep -o two.csv -t 2 --batch 2 >/dev/null
point "threads and batches change nothing" cmp <(steady one.csv) <(steady two.csv)
sweep --format csv >three.csv
point "--format alone: rows on standard output" cmp <(steady one.csv) <(steady three.csv)
sweep -o four.jsonl >/dev/null
point "JSON lines, by the name of the file" [ "$(grep -c '^{"kappa":.*"entropy":.*"recipe":"psi ' four.jsonl)" -eq 8 ]
recipe=$(column recipe one.csv | tail -n 1)
"$PSIVIEW" sample "$demo" --recipe "$recipe" --format jsonl >samples
[ "$(wc -l <samples)" -eq 3 ] &&
	sed 's/.*"entropy":\([0-9.]*\).*/\1/' samples | awk -v want="$(column entropy one.csv | tail -n 1)" '
		{ sum += $1 } END { print sum / NR; exit !(sum / NR - want < 1e-9 && want - sum / NR < 1e-9) }' >out
point "a row's recipe draws its samples in \`sample\`" [ $? -eq 0 ]
"$PSIVIEW" sample "$demo" --kappa 1 --steps 3 --seed 8 --top-p 1 -n 3 --format jsonl |
	sed 's/.*"entropy":\([0-9.]*\).*/\1/' | awk -v want="$(column entropy one.csv | sed -n 2p)" '
		{ sum += $1 } END { print sum / NR; exit !(sum / NR - want < 1e-9 && want - sum / NR < 1e-9) }' >out
point "so do the options of its cell" [ $? -eq 0 ]
"$PSIVIEW" sweep "$demo" --grid kappa=1,1 --steps 3 -n 2 --seeds 3 >same
point "equal cells: no difference at all" grep -qE '^1 +\+0.000 \+- 0.000$' same
"$PSIVIEW" sweep "$demo" --grid preset=ancestral,pc --grid top-p=.8:1:.1 --steps 2 -n 1 --seeds 1 -o presets.csv >/dev/null
column recipe presets.csv | sed -n '1p;$p' >got
point "presets and ranges" cmp got - <<'END'
psi preset=ancestral steps=2 top-p=.8
psi preset=pc steps=2
END
"$PSIVIEW" sweep "$demo" --steps 2 -n 1 --seeds 1 --clamp 0:the -o clamped.csv >/dev/null
point "no grid: one cell; clamps" [ "$(wc -l <clamped.csv)" -eq 2 ]

# --- a scorer: any GPT-2 folder below PSIVIEW_GOLDEN ---
gpt2=$(grep -rlE --include=config.json '"model_type": *"gpt2"' "$PSIVIEW_GOLDEN" 2>/dev/null | sort | head -n 1)
if [ -n "$gpt2" ]; then
	gpt2=${gpt2%/config.json}
	sweep --scorer "$gpt2" -o scored.csv >scored
	"$PSIVIEW" sample "$demo" --recipe "$(column recipe scored.csv | tail -n 1)" --format jsonl |
		"$PSIVIEW" eval "$gpt2" --json | sed -n 's/.*"generative_perplexity": \([0-9.e+]*\).*/\1/p' |
		awk -v want="$(column generative_perplexity scored.csv | tail -n 1)" '{ exit !(($1 / want - 1) ^ 2 < 1e-12) }'
	point "generative perplexity, as eval says it" [ $? -eq 0 ]
	point "with the entropy" grep -q 'entropy.*gen. perplexity' scored
else
	skip "generative perplexity, as eval says it" "no GPT-2 below PSIVIEW_GOLDEN"
fi

# --- the bound of held-out data ---
for ((i = 0; i < 600; i++)); do
	echo "the king of france had a horse of his own and he rode with the queen to the sea and back to the land"
done | tr '\n' ' ' >king.txt
bounds() { "$PSIVIEW" sweep "$demo" --grid kappa=1,.5 --grid steps=4,64 -n 1 --seeds 2 --bound 12 --data king.txt "$@"; }
bounds -o bound.csv -t 1 >bound.table
column bound bound.csv | xargs >got
point "falls with the steps at kappa 1, grows at kappa .5" \
	awk '{ exit !($3 + $4 < $1 + $2 && $7 + $8 > 2 * ($5 + $6) && $3 + $4 > 2) }' got
point "the table says the bound in continuous time" grep -q '^(NELBO, whatever kappa): [0-9.]*, standard error' bound.table
bounds -o bound.2.csv -t 2 --batch 1 >/dev/null
point "the same numbers with two threads" cmp <(steady bound.csv) <(steady bound.2.csv)

# --- Sudoku: a model of some seconds that knows no rule yet, and clamps that obey them ---
"$PSIVIEW" train --sudoku 4 --hidden 16 --blocks 1 --heads 2 --cond 8 --batch 4 --steps 3 -q tiny.safetensors
point "a tiny model of Sudoku" [ $? -eq 0 ]
valid=1234341221434321 wrong=1234341221434322
tiny() { "$PSIVIEW" sweep tiny.safetensors --grid kappa=1,0 --steps 3 -n 4 --seeds 2 "$@" -o tiny.csv >tiny.table; }
tiny && column valid tiny.csv | xargs >got
point "a model that knows no rule: no valid grids" grep -qx '0 0 0 0' got
tiny --clamp 1:$valid && column valid tiny.csv | xargs >got
point "all cells of a valid grid held: all valid" grep -qx '1 1 1 1' got
point "said with Wilson's interval" grep -q '1.000 \[0.676, 1.000\]' tiny.table
tiny --clamp 1:$wrong && column valid tiny.csv | xargs >got
point "of a wrong one: none" grep -qx '0 0 0 0' got
tiny --bound 8 && column bound tiny.csv | xargs >got
point "its bound needs no data" awk '{ exit !($1 > 1 && $1 < 9 && $4 > 1 && $4 < 9) }' got
"$PSIVIEW" eval tiny.safetensors -n 64 >got
point "nor does eval" grep -qx 'samples      64 fresh grids' got

# --- refused ---
refuse 2 "--bound: on which data" "$demo" --grid kappa=1 --bound 4
refuse 2 "--data: what for" "$demo" --grid kappa=1 --data king.txt
refuse 2 "--bound: there is no bound where kappa depends" "$demo" --grid per=none,conf --bound 4 --data king.txt
refuse 1 "nothing" "$demo" --grid kappa=1 --bound 4 --data nothing
refuse 2 "too many samples" "$demo" --grid kappa=1 --bound 1000000 --seeds 100000 --data king.txt
refuse 2 "--grid" "$demo" --grid kappa
refuse 2 "--grid" "$demo" --grid kappa=
refuse 2 "--grid" "$demo" --grid kappa=0,,1
refuse 2 "--grid: kappa" "$demo" --grid kappa=2
refuse 2 "no knob 'nothing'" "$demo" --grid nothing=1
refuse 2 "given twice" "$demo" --grid kappa=1 --grid kappa=0
refuse 2 "--seeds" "$demo" --grid seed=1,2
refuse 2 "no preset" "$demo" --grid preset=nothing
refuse 2 "more than" "$demo" --grid steps=1:1000:1 --grid top-k=0:1000:1
refuse 2 "more than" "$demo" --grid steps=1:1000:1 --seeds 100000
refuse 2 "range" "$demo" --grid kappa=0:1
refuse 2 "range" "$demo" --grid kappa=1:0:.1
refuse 2 "label" "$demo" --grid label=none,1
refuse 2 "--valid" "$demo" --grid kappa=1 --valid sudoku6
refuse 2 "--valid" "$demo" --grid kappa=1 --valid chess
refuse 2 "--seeds" "$demo" --grid kappa=1 --seeds 0
refuse 2 "--format" "$demo" --grid kappa=1 --format png
refuse 2 "must be a GPT-2" "$demo" --grid kappa=1 --scorer "$demo"
refuse 3 "nothing: " "$demo" --grid kappa=1 --scorer ./nothing
refuse 3 "nothing: " ./nothing --grid kappa=1
"$PSIVIEW" sweep "$demo" --grid kappa=1 -o none/file >said.out 2>said.err
point "a folder that is not there: status 1" [ $? -eq 1 ]
if [ -e /dev/full ]; then
	"$PSIVIEW" sweep "$demo" --steps 1 -n 1 --seeds 1 --format csv >/dev/full 2>said.err
	point "a full disk under standard output: status 1" [ $? -eq 1 ]
	"$PSIVIEW" sweep "$demo" --steps 1 -n 1 --seeds 1 >/dev/full 2>said.err
	point "so with the table" [ $? -eq 1 ]
fi

# --- interrupted: what is done is written ---
# (a machine that is busy may need longer for the first run)
for seconds in 2 4 8 16 32; do
	rm -f cut.csv
	"$PSIVIEW" sweep "$demo" --grid steps=1,100000 --seeds 1 -n 1 -o cut.csv >cut.table 2>said.err &
	pid=$!
	until compgen -G 'cut.csv.*.part' >/dev/null; do sleep .05; done
	sleep $seconds
	kill -INT $pid
	wait $pid
	rc=$?
	[ ! -e cut.csv ] || break
done
point "SIGINT: ends, by that signal" [ $rc -eq 130 ]
point "with the rows that are done" [ "$(wc -l <cut.csv)" -eq 2 ]
point "and a table that says so" grep -q '^stopped: 1 of 2 runs' cut.table
for f in *.part; do [ -e "$f" ] && echo "$f"; done >out
report "nothing is left behind" out

finish
