# run.sh: the program from outside: options, headless runs, the config file,
# and what happens when something is wrong.
set -u
. "$SRCDIR/tests/tap.sh"
cd "$scratch" || exit 99
demo=$PSIVIEW_DATADIR/duo-text8.safetensors

# point NAME COMMAND...: a test point that holds if COMMAND succeeds.
point()
{
	local name=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then : >"$scratch/out"; else echo "failed: $*" >>"$scratch/out"; fi
	report "$name" "$scratch/out"
}

# refuse STATUS WORDS ARGS...: the program ends with STATUS and one line on
# standard error that begins with "psiview: " and holds WORDS; nothing else.
refuse()
{
	local want=$1 words=$2 rc
	shift 2
	timeout 60 "$PSIVIEW" "$@" </dev/null >said.out 2>said.err
	rc=$?
	: >out
	[ $rc -eq "$want" ] || echo "status $rc, not $want" >>out
	[ "$(wc -l <said.err)" -eq 1 ] || echo "not one line" >>out
	grep -qF -- "$words" said.err || echo "does not say '$words'" >>out
	grep -q '^psiview: ' said.err || echo "does not begin with 'psiview: '" >>out
	[ ! -s said.out ] || echo "wrote to standard output" >>out
	[ ! -s out ] || cat said.err >>out
	report "refused: $(head -n 1 said.err | cut -c 10- | sed "s|$scratch||g")" out
}

tokens() { sed 's/.*"tokens":\[\([^]]*\)\].*/\1/' "$@"; }
# What of a line of JSON must not depend on the machine.
steady() { sed 's/"time_ms":[^,}]*//' "$@"; }
sample() { "$PSIVIEW" sample "$demo" --steps 4 "$@"; }

# --- help ---
"$PSIVIEW" --version >v && grep -q '^psiview [0-9]' v
point "--version" [ $? -eq 0 ]
"$PSIVIEW" --help >help.main && "$PSIVIEW" help >help.2 && cmp help.main help.2
point "--help and help" [ $? -eq 0 ]
for c in sample probe eval info verify export sweep train help; do
	"$PSIVIEW" $c --help >help.1 && "$PSIVIEW" help $c >help.2 && cmp help.1 help.2 && grep -q "^Usage: psiview $c" help.1
	point "help of $c" [ $? -eq 0 ]
done
if [ -e /dev/full ]; then
	"$PSIVIEW" --help >/dev/full 2>said.err
	point "help that cannot be written: status 1" [ $? -eq 1 ]
fi

# --- what has no meaning ---
refuse 2 "unknown option '--nonsense'" sample --nonsense
refuse 2 "unknown option '-Q'" sample -Q
refuse 2 "needs an argument" sample --steps
refuse 2 "takes no argument" sample --raw=yes
refuse 2 "steps" sample "$demo" --steps 0
refuse 2 "kappa" sample "$demo" --kappa 2
refuse 2 "top-p" sample "$demo" --top-p 0
refuse 2 "temperature" sample "$demo" --temperature x
refuse 2 "preset" sample "$demo" --preset nothing
refuse 2 "--count" sample "$demo" -n 0
refuse 2 "--threads" sample "$demo" -t 0
refuse 2 "--format" sample "$demo" --format xml
refuse 2 "kappa" sample "$demo" --recipe "psi kappa=2"
refuse 2 "nonsense" sample "$demo" --recipe "psi nonsense=2"
refuse 2 "--clamp" sample "$demo" --clamp nowhere
refuse 2 "--clamp" sample "$demo" --clamp 99999:the
refuse 2 "do not fit" sample "$demo" --clamp 127:the
refuse 2 "--clamp" sample "$demo" --clamp 3:ünicode
refuse 2 "no text" sample "$demo" --clamp 3:
refuse 2 "what is 'more'" sample "$demo" more
refuse 2 "there is no command" help nonsense
refuse 2 "which file" info
refuse 2 "which input" probe "$demo"
refuse 2 "which file" eval
refuse 1 "standard input: there is no sample" eval "$demo"
refuse 1 "nothing: No such file" eval "$demo" --in nothing
refuse 1 "nothing" eval "$demo" --data nothing
refuse 2 "--whole-batches" eval "$demo" --data nothing --whole-batches 4
echo '{"text":"too short"}' >short.jsonl
refuse 1 "short.jsonl: line 1: 9 tokens, but the model's samples have 128" eval "$demo" --in short.jsonl
echo '{"tokens":[1,2,99]}' >strange.jsonl
refuse 1 "strange.jsonl: line 1: token 2 is none of the model's" eval "$demo" --in strange.jsonl
echo '{"tokens":' >broken.jsonl
refuse 1 "broken.jsonl: line 1: " eval "$demo" --in broken.jsonl
refuse 2 "where to" export "$demo"

# --- files ---
mkdir folder
mkfifo fifo
: >empty
head -c 3000 "$demo" >cut.safetensors
for f in folder fifo empty cut.safetensors nothing; do
	for c in sample info verify; do
		refuse 3 "$f: " $c $f
	done
done
if [ "$(id -u)" -ne 0 ]; then
	cp "$demo" closed
	chmod 0 closed
	refuse 3 "closed: Permission denied" sample closed
else
	skip "an unreadable file" "root reads everything"
fi
refuse 3 "nothing" probe "$demo" --in nothing --out probe.out
refuse 3 "nothing" sample "$demo" --tokenizer ./nothing

# --- the same tokens ---
sample -n 3 --format jsonl -t 1 --batch 1 >three
sample -n 8 --format jsonl -t 2 --batch 7 >eight
point "3 samples or 8, batch 1 or 7, 1 thread or 2: the same first 3" cmp <(steady three) <(head -n 3 eight | steady)
point "three lines" [ "$(wc -l <three)" -eq 3 ]
for key in recipe tokens text entropy network_calls head_rows time_ms counts steps sha256; do
	[ "$(grep -c "\"$key\":" three)" -eq 3 ] || echo "$key"
done >out
report "a line says everything" out
recipe=$(sed -n 's/.*"recipe":"\([^"]*\)".*/\1/p' three | sed -n 2p)
point "its recipe gives the sample again" \
	cmp <(sed -n 2p three | tokens) <("$PSIVIEW" sample "$demo" --recipe "$recipe" --format jsonl 2>err.recipe | tokens)
point "and knows the checkpoint" [ ! -s err.recipe ]
"$PSIVIEW" sample "$PSIVIEW_DATADIR/mdlm-text8.safetensors" --recipe "$recipe" >/dev/null 2>err.recipe
point "another one is told" grep -q "another checkpoint" err.recipe
sample >text
point "text" grep -qE '^[a-z ]{100,}$' text
"$PSIVIEW" "$demo" --steps 4 >text.2
point "no terminal, no command: as sample" cmp text text.2
(cd "$scratch" && "$PSIVIEW" sample --steps 4 >text.3)
point "no file: the demo" cmp text text.3
for f in "$SRCDIR"/data/*.safetensors; do
	[ "$(wc -c <"$f")" -le 4194304 ] || echo "$f is above 4 MB"
	"$PSIVIEW" sample "$f" --steps 2 --format jsonl | grep -q '"tokens"' || echo "$f: no sample"
done >out
report "every bundled model gives samples" out
PSIVIEW_DATADIR=$SRCDIR/data "$PSIVIEW" sample --steps 2 >bundled
point "the bundled demo is text" grep -q '[a-z]' bundled
sample --clamp "0:the king" --clamp "20: and " -n 2 >clamped
point "clamps" [ "$(grep -cE '^the king.{12} and ' clamped)" -eq 2 ]
"$PSIVIEW" sample "$demo" --steps 3 --raw --format jsonl >raw.1
"$PSIVIEW" sample "$demo" --steps 3 --weights raw --format jsonl >raw.2
point "--raw is --weights raw" cmp <(steady raw.1) <(steady raw.2)

# --- the bound of texts under a diffusion model ---
"$PSIVIEW" eval "$demo" --in three --json >bound.1 && "$PSIVIEW" eval "$demo" -t 1 --json <three >bound.2 && cmp bound.1 bound.2
point "eval: the bound of samples, from a file or a pipe" [ $? -eq 0 ]
sed 's/"tokens":\[[^]]*\],//' three >three.text
"$PSIVIEW" eval "$demo" --in three.text --json | cmp bound.1 -
point "of their text the same" [ $? -eq 0 ]
for ((i = 0; i < 600; i++)); do
	echo "the king of france had a horse of his own and he rode with the queen to the sea and back to the land"
done | tr '\n' ' ' >king.txt
"$PSIVIEW" eval "$demo" --data king.txt -n 32 --json | sed -n 's/.*"nats_per_token": \([0-9.]*\).*/\1/p' >bound.king
for ((i = 0; i < 600; i++)); do
	echo "kqzx vbnj wq zxkv jq bnm zzq xkcd pfw qqj vhx lrt gkk zpd mxn bvq wjz ckx fqp zzt hgj dkq vvx npw qxz"
done | tr '\n' ' ' >noise.txt
"$PSIVIEW" eval "$demo" --data noise.txt -n 32 --json | sed -n 's/.*"nats_per_token": \([0-9.]*\).*/\1/p' >bound.noise
paste bound.king bound.noise >out
point "held-out text: words are likelier than noise" awk '{ exit !($1 > .5 && $1 < 2.6 && $2 > $1 + 1) }' out

# --- entropy, as of the published sampler (both about 2.72) ---
# PSIVIEW_LONG: as many samples as make the mean sharp.  Numbers gain nothing from sanitizers.
n=8 steps=64 within=.1
[ -z "${PSIVIEW_LONG:-}" ] || { n=64 steps=128 within=.06; }
for m in duo-text8:2.76 mdlm-text8:2.73; do
	case ${PSIVIEW_CC:-} in *-fsanitize*)
		skip "${m%:*}: entropy" "a build with sanitizers"
		continue ;;
	esac
	"$PSIVIEW" sample "$PSIVIEW_DATADIR/${m%:*}.safetensors" -n $n --steps $steps --preset ancestral --format jsonl |
		sed 's/.*"entropy":\([0-9.]*\).*/\1/' | awk -v want="${m#*:}" -v within=$within '
		{ sum += $1 } END { print "mean entropy", sum / NR; exit !(sum / NR > want - within && sum / NR < want + within) }' >out
	rc=$?
	sed 's/^/# /' out
	point "${m%:*}: entropy of $n samples within $within of ${m#*:}" [ $rc -eq 0 ]
done

# --- where it is written ---
sample -o file && cmp -s text file
point "-o" [ $? -eq 0 ]
mkdir there
refuse 1 "there: is a directory" sample "$demo" --steps 4 -o there
refuse 1 "none/file: No such file" sample "$demo" --steps 4 -o none/file
refuse 1 "nobody reads this fifo" sample "$demo" --steps 4 -o fifo
if [ -e /dev/full ]; then
	refuse 1 "/dev/full: No space left" sample "$demo" --steps 4 -o /dev/full
	sample >/dev/full 2>said.err
	point "a full disk under standard output: status 1" [ $? -eq 1 ]
	point "and one line" [ "$(grep -c '^psiview: standard output: No space left' said.err)" -eq 1 ]
fi
sample >&- 2>said.err
point "a closed standard output: status 1" [ $? -eq 1 ]
sample -n 200 --batch 1 2>said.err | head -n 1 >/dev/null
rc=${PIPESTATUS[0]}
point "a reader that leaves: status 1, no words" [ "$rc" -eq 1 ] && [ ! -s said.err ]
echo old >kept
(
	ulimit -f 1
	trap '' XFSZ
	sample -n 20 -o kept 2>said.err
) >/dev/null 2>&1
point "a file that cannot be finished: the old one stays" [ "$(cat kept)" = old ]
"$PSIVIEW" sample "$demo" -n 1000 -o interrupted 2>said.err &
pid=$!
until compgen -G 'interrupted.*.part' >/dev/null; do sleep .05; done
sleep .5
kill -INT $pid
wait $pid
rc=$?
point "SIGINT: ends, by that signal" [ $rc -eq 130 ]
for f in *.part; do [ -e "$f" ] && echo "$f"; done >out
[ ! -e interrupted ] || echo interrupted >>out
report "nothing is left behind" out

# --- settings ---
mkdir -p config/psiview
export XDG_CONFIG_HOME=$scratch/config
printf '# mine\nsteps = 4\nformat=jsonl\nraw = no\n\n' >config/psiview/config
"$PSIVIEW" sample "$demo" >configured
point "the config file gives defaults" cmp <(tokens configured) <(head -n 1 three | tokens)
"$PSIVIEW" sample "$demo" --format text >configured
point "the command line wins" cmp text configured
"$PSIVIEW" --print-config >printed
grep -q '^steps = 4$' printed && grep -q '^format = jsonl$' printed && grep -q '^raw = no$' printed && grep -q '^# threads =$' printed
point "--print-config" [ $? -eq 0 ]
cp printed config/psiview/config
"$PSIVIEW" --print-config >again
point "what it prints is a config file" cmp printed again
echo 'kappa = 2' >config/psiview/config
refuse 2 "config:1: kappa" sample "$demo"
printf '\nnothing = 2\n' >config/psiview/config
refuse 2 "config:2: unknown key" sample "$demo"
"$PSIVIEW" --help >/dev/null
point "help comes nevertheless" [ $? -eq 0 ]

finish
