# train.sh: psiview train from outside: a run, resuming it, signals, kills at
# any moment, full disks and whatever else may go wrong.
#
# PSIVIEW_KILLS: how many times a run is killed while it saves (default 5).
set -u
. "$SRCDIR/tests/tap.sh"
cd "$scratch" || exit 99
limit=${PSIVIEW_LIMIT:-300}          # seconds for one command, on whatever machine

# point NAME COMMAND...: a test point that holds if COMMAND succeeds.
point()
{
	local name=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then : >"$scratch/out"; else echo "failed: $*" >>"$scratch/out"; fi
	report "$name" "$scratch/out"
}

tiny=(--sudoku 4 --hidden 16 --blocks 1 --heads 2 --cond 8 --batch 4 --warmup 5 --valid-samples 8 --valid-every 0
	--save-every 0 --show-samples 0 --log-every 1)

# train ARGS...: a tiny run, quietly.
train()
{
	timeout "$limit" "$PSIVIEW" train -t 2 -q "${tiny[@]}" "$@" </dev/null
}

resume()
{
	timeout "$limit" "$PSIVIEW" train -t 2 -q --resume "$@" </dev/null
}

# start ARGS...: a tiny run in the background, $pid.
start()
{
	# A suite run by nohup ignores SIGHUP, and what it starts would too.
	env --default-signal=HUP "$PSIVIEW" train -t 2 -q "${tiny[@]}" "$@" </dev/null 2>said.err &
	pid=$!
}

# refuse STATUS WORDS COMMAND...: COMMAND ends with STATUS and one line on
# standard error that begins with "psiview: " and holds WORDS; nothing else.
refuse()
{
	local want=$1 words=$2 rc
	shift 2
	"$@" >said.out 2>said.err
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

# tensors FILE: all bytes behind the header.
tensors()
{
	local n
	n=$(od -An -t u8 -N 8 "$1" | tr -d ' ')
	tail -c "+$((n + 9))" "$1"
}

# same A B: the tensors of two checkpoints are the same bits.
same()
{
	[ -s "$1" ] && [ -s "$2" ] && cmp <(tensors "$1") <(tensors "$2")
}

step_of()
{
	"$PSIVIEW" info --json "$1" | sed -n 's/^ *"step": \([0-9]*\),*$/\1/p'
}

# opens FILE: it is a whole checkpoint of finite numbers.
opens()
{
	"$PSIVIEW" info "$1" >said.info 2>&1 && "$PSIVIEW" verify "$1" >>said.info 2>&1 || { cat said.info; return 1; }
}

# until_lines N FILE: wait until the run that writes FILE has logged N lines.
until_lines()
{
	local log=${2%.safetensors}.log.jsonl waited
	for ((waited = 0; waited < 50 * limit; waited++)); do
		[ -e "$log" ] && [ "$(wc -l <"$log")" -ge "$1" ] && return 0
		kill -0 "$pid" 2>/dev/null || return 1
		sleep .02
	done
	kill -KILL "$pid"
	return 1
}

# --- a run ---
"$PSIVIEW" train "${tiny[@]}" --dry-run >dry 2>said.err
point "a dry run says parameters, memory and every setting" \
	test "$(grep -cE '^# .*(parameters|Sudoku 4)|^(hidden = 16|loss = duo_base|seed = 1)$' dry)" -eq 5
report "and nothing else" said.err
train --steps 20 --valid-every 10 straight.safetensors >said.out 2>said.err
point "20 steps" [ $? -eq 0 ]
cat said.out said.err >out
report "--quiet is quiet" out
point "the checkpoint opens" opens straight.safetensors
point "and says what it is" grep -q 'Sudoku 4 x 4.*duo_base' said.info
point "step 20" [ "$(step_of straight.safetensors)" = 20 ]
point "the best average is there" opens straight.best.safetensors
point "the log has a line of JSON for every step" \
	[ "$(grep -cE '^\{.*"step": ?[0-9]+.*"loss": ?[0-9.]+.*\}$' straight.log.jsonl)" -ge 20 ]
train --steps 7 --log-every 0 --valid-samples 0 --valid-every 2 bare.safetensors 2>out
point "no validations, and one line of the log: it is saved all the same" \
	[ "$(step_of bare.safetensors) $(grep -cE '"(valid|step)",' bare.log.jsonl)" = "7 1" ]
timeout "$limit" "$PSIVIEW" train "${tiny[@]}" --steps 5 loud.safetensors >said.out 2>said.err
point "without a terminal: lines for beginning and end" \
	[ "$(sed -n '1s/^Sudoku 4 x 4, duo_base: .* parameters; .* of memory$/begin/p;
		$s/^done: step 5 after .*; loud.safetensors is written$/end/p' said.err | xargs)" = "begin end" ]
report "standard output stays quiet" said.out
if command -v script >/dev/null && script -qec true /dev/null >/dev/null 2>&1; then
	SHELL=/bin/sh script -qec "stty cols 60; '$PSIVIEW' train ${tiny[*]} --steps 50 shown.safetensors" /dev/null \
		</dev/null >said.out 2>&1
	tr '\r' '\n' <said.out | grep -E '^step ' >said.line
	point "on a terminal: a progress line" grep -qE '^step [0-9]+/50' said.line
	point "no wider than the terminal" [ "$(wc -L <said.line)" -lt 60 ]
else
	skip "a progress line" "there is no script(1)"
fi

# --- what can be done with it ---
"$PSIVIEW" sample straight.safetensors -n 3 --steps 4 --format jsonl >said.out
point "it can be sampled" [ "$(grep -c '"tokens":\[' said.out)" -eq 3 ]
"$PSIVIEW" sample straight.safetensors --raw --steps 4 >said.out
point "also by its raw weights" [ -s said.out ]
"$PSIVIEW" export straight.safetensors -o ema.safetensors && "$PSIVIEW" export straight.safetensors --raw -o raw.safetensors
point "exported" opens ema.safetensors
point "also the raw weights" opens raw.safetensors
differ() { [ -s "$1" ] && [ -s "$2" ] && ! cmp -s <(tensors "$1") <(tensors "$2"); }
point "which are others" differ ema.safetensors raw.safetensors
"$PSIVIEW" sample straight.safetensors -n 2 --steps 4 >of.straight && "$PSIVIEW" sample ema.safetensors -n 2 --steps 4 >of.ema
point "the export gives the same tokens" cmp of.straight of.ema
"$PSIVIEW" eval straight.safetensors -n 8 </dev/null >said.out
point "it can be evaluated" grep -q '^bound *[0-9.]* +- [0-9.]* nats' said.out
"$PSIVIEW" eval straight.safetensors -n 1 </dev/null >said.out
point "by one sample too, which tells no error" grep -q '^bound *[0-9.]* nats.*no error' said.out

# --- going on ---
train --steps 10 --valid-every 10 parts.safetensors && resume --steps 20 parts.safetensors
point "10 steps and 10 more are 20 steps, bit for bit" cmp straight.safetensors parts.safetensors
resume parts.safetensors
point "a run that is done can be resumed" [ $? -eq 0 ]
"$PSIVIEW" train -t 2 --resume parts.safetensors </dev/null 2>said.err
point "and there is nothing to do" grep -q 'nothing to do: parts.safetensors is at step 20 already' said.err
cp parts.safetensors more.safetensors
"$PSIVIEW" train -t 2 --resume --steps 25 more.safetensors </dev/null 2>said.err
! grep -q 'loss 0\.0000' said.err
point "no loss is told before there is one" [ $? -eq 0 ]
train --steps 20 --valid-every 10 -t 1 one.safetensors
point "one thread or two: the same bits" same straight.safetensors one.safetensors
train --steps 20 --seed 2 seed.safetensors
point "another seed is another run" differ straight.safetensors seed.safetensors
cp straight.safetensors kept.safetensors
refuse 2 "--resume goes on from it, --force writes over it" train --steps 1 kept.safetensors
point "which is untouched" cmp straight.safetensors kept.safetensors
train --force --steps 1 kept.safetensors
point "--force writes over it" [ "$(step_of kept.safetensors)" = 1 ]
refuse 2 "--hidden is 32, but" resume --hidden 32 straight.safetensors
refuse 2 "--preset is sudoku6, but" resume --preset sudoku6 straight.safetensors
refuse 3 "nothing to resume" resume "$PSIVIEW_DATADIR/duo-text8.safetensors"
refuse 3 "none.safetensors: No such file" resume none.safetensors
head -c 9000 straight.safetensors >cut.safetensors
refuse 3 "cut.safetensors: " resume cut.safetensors
head -c 5000 /dev/urandom >noise.safetensors
refuse 3 "noise.safetensors: " resume noise.safetensors

# --- what has no meaning ---
refuse 2 "where to" train
refuse 2 "--lr" train --lr -1 x.safetensors
refuse 2 "--batch" train --batch 0 x.safetensors
refuse 2 "--heads is 3" train --heads 3 x.safetensors
refuse 2 "no preset is called" train --preset nothing x.safetensors
refuse 2 "--curriculum-compat" train --curriculum-compat=perhaps x.safetensors
refuse 2 "--task is" train --task poems x.safetensors
refuse 2 "what is 'y'" train x.safetensors y

# --- signals ---
for sig in TERM INT HUP; do
	start --steps 1000000 stopped.$sig.safetensors
	until_lines 8 stopped.$sig.safetensors
	kill -$sig $pid
	{ wait $pid; } 2>/dev/null
	rc=$?
	point "SIG$sig: ends, by that signal" [ $rc -eq $((128 + $(kill -l $sig))) ]
	report "SIG$sig: no word, when quiet" said.err
	n=$(step_of stopped.$sig.safetensors)
	point "SIG$sig: saved" [ "${n:-0}" -ge 3 ]
	[ $sig = TERM ] || continue
	resume --steps $((n + 7)) stopped.$sig.safetensors && train --steps $((n + 7)) same.safetensors
	point "resumed: as if nothing had happened" same stopped.$sig.safetensors same.safetensors
done

# --- kill -9 at any moment ---
kills=${PSIVIEW_KILLS:-5}
train --steps 1 --save-every 1 killed.safetensors
RANDOM=7
last=1 worst=
for ((i = 1; i <= kills; i++)); do
	"$PSIVIEW" train -t 2 -q --resume --steps 1000000 killed.safetensors </dev/null 2>said.err &
	pid=$!
	sleep ".$(printf %03d $((RANDOM % 400)))"
	kill -KILL $pid 2>/dev/null || worst="$worst kill $i: it had ended: $(cat said.err);"
	wait $pid 2>/dev/null
	opens killed.safetensors >out || worst="$worst kill $i: $(cat out);"
	n=$(step_of killed.safetensors)
	[ "${n:-0}" -ge "$last" ] || worst="$worst kill $i: step $n after $last;"
	last=${n:-0}
done
printf %s "$worst" >out
report "killed $kills times while it saved, a whole checkpoint each time (step $last)" out
resume --steps $((last + 1)) killed.safetensors && train --steps $((last + 1)) same.safetensors --force
point "and the last one goes on as if nothing had happened" same killed.safetensors same.safetensors
compgen -G '*.tmp' >out
report "nothing is left of the dead" out

# --- the disk ---
cp straight.safetensors full.safetensors
(
	ulimit -f 8
	resume --steps 30 full.safetensors
) >said.out 2>said.err
rc=$?
point "no room for the checkpoint: status 1" [ $rc -eq 1 ]
point "and one line that names it" grep -qE '^psiview: .*full.safetensors.*(File too large|No space)' said.err
point "the one that was there stays" cmp straight.safetensors full.safetensors
compgen -G 'full*.tmp' >out
report "and nothing half written" out
refuse 1 "none: No such file" train --steps 1 none/x.safetensors
mkdir folder
refuse 1 "folder: is not a regular file" train --steps 1 folder
mkdir closed
if [ "$(id -u)" -ne 0 ]; then
	chmod 500 closed
	refuse 1 "closed: Permission denied" train --steps 1 closed/x.safetensors
elif unshare -m true 2>/dev/null; then
	read_only()
	{
		unshare -m sh -c "mount -t tmpfs -o ro none closed && exec \"\$@\"" - \
			timeout "$limit" "$PSIVIEW" train -q "${tiny[@]}" --steps 1 closed/x.safetensors
	}
	refuse 1 "closed: Read-only file system" read_only
else
	skip "a read-only folder" "root writes everywhere"
fi

# --- the data ---
mkdir poems
for ((i = 0; i < 300; i++)); do echo "tyger tyger burning bright, in the forests of the night $((i % 7))"; done >poems/one.txt
text=(--task text --data poems --length 16)
start --steps 1000000 "${text[@]}" poem.safetensors
until_lines 5 poem.safetensors
mv poems moved
kill -TERM $pid
wait $pid
point "data that vanishes while it is used does no harm" [ $? -eq 143 ]
n=$(step_of poem.safetensors)
cp poem.safetensors kept.safetensors
refuse 1 "poems: No such file" resume --steps $((n + 5)) poem.safetensors
point "the checkpoint stays" cmp poem.safetensors kept.safetensors
resume --data moved --steps $((n + 5)) poem.safetensors
point "--data: it lies elsewhere now" [ $? -eq 0 ]
train "${text[@]}" --data moved --steps $((n + 5)) same.safetensors --force
point "and goes on as if nothing had happened" same poem.safetensors same.safetensors
echo "did he who made the lamb make thee" >>moved/one.txt
resume --steps $((n + 6)) poem.safetensors 2>said.err
point "data that has changed is told" grep -q 'warning: moved: the data has changed' said.err
resume --steps $((n + 7)) poem.safetensors 2>said.err
point "once" [ ! -s said.err ]
head -c 20000 /dev/urandom >noise.bin
refuse 1 "noise.bin: " train --steps 1 --task text --data noise.bin --length 16 x.safetensors
mkdir empty
refuse 2 "empty: there is no text" train --steps 1 --task text --data empty --length 16 x.safetensors
refuse 1 "nowhere: No such file" train --steps 1 --task text --data nowhere --length 16 x.safetensors
point "none of them left anything" [ ! -e x.safetensors ]

# --- every loss ---
text=(--task text --data moved --length 16 --steps 3 --valid-samples 4)
for kind in "--loss mdlm" "--loss duo_base" "--loss ar" "--loss sedd" "--loss d3pm" "--curriculum simple" \
	"--curriculum efficient --k 3" "--curriculum efficient --curriculum-compat" \
	"--goal distill --teacher duo_base.safetensors --distill-every 2"; do
	name=${kind##*[ -]}.safetensors
	train "${text[@]}" $kind --log "$name.log" --force "$name" && opens "$name" &&
		"$PSIVIEW" sample "$name" --steps 2 >said.out
	point "$kind" [ $? -eq 0 -a -s said.out -a "$(grep -c '"event":"step"' "$name.log")" -eq 3 ]
done

# --- memory, numbers ---
refuse 4 "more than" train --memory 1M --hidden 256 --steps 1 x.safetensors
cp straight.safetensors sick.safetensors
header=$(od -An -t u8 -N 8 sick.safetensors | tr -d ' ')
for ((i = 0; i < 16; i++)); do printf '\0\0\300\177'; done | # NaN
	dd of=sick.safetensors bs=1 seek=$((header + 8)) conv=notrunc status=none
cp sick.safetensors kept.safetensors
refuse 5 "step 21: " resume --steps 30 sick.safetensors
point "and the checkpoint stays as it was" cmp sick.safetensors kept.safetensors

finish
