# train_view.sh: a training driven by lines (--plain) and by a script (--play):
# each event is one line, and what was asked for is there at the end.
set -u
. "$SRCDIR/tests/tap.sh"

cat >"$scratch/settings" <<END
train preset sudoku6
train set sudoku 4
train set hidden 16
train set blocks 1
train set heads 2
train set cond 8
train set batch 4
train set steps 60
train set save-every 20
train set valid-every 20
train set valid-samples 4
train set show-samples 2
train set show-steps 4
train out $scratch/run.safetensors
END

# says PATTERN...: each is a line that must have come, in this order.
says()
{
	local from=1 at
	for pattern; do
		at=$(tail -n "+$from" "$scratch/said" | grep -nE -- "$pattern" | head -n 1 | cut -d: -f1)
		if [ -z "$at" ]; then
			{ echo "not said from line $from on: $pattern"; cat "$scratch/said"; } >>"$scratch/out"
			return
		fi
		from=$((from + at))
	done
}

# plain STATUS: lines on standard input.
plain()
{
	local rc
	"$PSIVIEW" --plain --seed 7 "${@:2}" >"$scratch/said" 2>&1
	rc=$?
	: >"$scratch/out"
	[ $rc -eq "$1" ] || { echo "status $rc, not $1"; cat "$scratch/said"; } >"$scratch/out"
	grep -E 'Sanitizer|runtime error' "$scratch/said" >>"$scratch/out"
}

{ cat "$scratch/settings"; echo 'train start'; echo 'train wait'; echo 'train status'; } | plain 0
says 'step 20 of 60: loss .*bound' 'step 20 is saved' 'step 40 of 60' 'done at step 60, saved' 'done, step 60 of 60'
report "a whole training, one line for each event" "$scratch/out"

{ cat "$scratch/settings"; echo 'train start'; } | plain 1
says 'run.safetensors is there'
report "a checkpoint is not replaced unasked" "$scratch/out"

{ cat "$scratch/settings"; printf 'train set steps 100000\ntrain start over\ntrain wait 30\ntrain pause\nstep 2\n'
	printf 'train open\nstep 3\ntrain close\nstep 1\ntrain resume\ntrain wait 50\ntrain stop\n'; } | plain 0
says 'paused at step' 'step 2/' 'the average at step' 'step 3/' 'back to' 'goes on at step' 'stopped at step .* saved'
report "pause, sample, open, sample, close, go on, stop" "$scratch/out"

printf 'train continue %s\ntrain save\n' "$scratch/run.safetensors" | plain 0
says 'step [0-9]+ is saved|stopped at step'
report "going on; at the end of the lines it is stopped and saved" "$scratch/out"

printf '' | plain 0 "$scratch/run.safetensors"
says 'F5 goes on with this training, at step [0-9]+ of 100000'
report "a checkpoint of a training is told as such" "$scratch/out"

{ cat "$scratch/settings"; printf 'train start over\ntrain wait\n'; } >"$scratch/script"
printf '' | plain 0 --play "$scratch/script" --record "$scratch/record"
says 'done at step 60'
grep -qx 'train wait' "$scratch/record" || cat "$scratch/record" >>"$scratch/out"
report "the same by --play, and --record writes it" "$scratch/out"

{ cat "$scratch/settings"; echo "train set steps 1000000"; echo "train out $scratch/term.safetensors"; echo "train start"
	echo "train wait 5"; echo "train status"; echo "train wait"; } >"$scratch/script"
"$PSIVIEW" --plain --play "$scratch/script" >"$scratch/said" 2>&1 </dev/null &
pid=$!
for ((i = 0; i < 600; i++)); do
	grep -q 'running, step' "$scratch/said" && break
	sleep .1
done
kill -TERM $pid
wait $pid
rc=$?
: >"$scratch/out"
[ $rc -eq 143 ] || { echo "status $rc, not 143"; cat "$scratch/said"; } >"$scratch/out"
[ -s "$scratch/term.safetensors" ] || echo "no checkpoint" >>"$scratch/out"
report "SIGTERM saves a training without a screen too" "$scratch/out"

finish
