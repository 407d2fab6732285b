# plain.sh: --plain, commands as lines and events as lines; scripts without a
# screen; the program in places that are no terminal.
set -u
. "$SRCDIR/tests/tap.sh"

# plain STATUS INPUT OPTION...: run it; what it says goes to $scratch/said.
plain()
{
	local want=$1 input=$2 rc
	shift 2
	printf '%b' "$input" | "$PSIVIEW" --plain --seed 7 "$@" >"$scratch/said" 2>"$scratch/err"
	rc=$?
	: >"$scratch/out"
	[ $rc -eq "$want" ] || echo "status $rc, not $want" >"$scratch/out"
	grep -E 'Sanitizer|runtime error' "$scratch/err" >>"$scratch/out"
}

# says PATTERN...: each is a line that must have come, in this order.
says()
{
	local from=1 at
	for pattern; do
		at=$(tail -n "+$from" "$scratch/said" | grep -nE -- "$pattern" | head -n 1 | cut -d: -f1)
		if [ -z "$at" ]; then
			{ echo "not said from line $from on: $pattern"; cat "$scratch/said" "$scratch/err"; } >>"$scratch/out"
			return
		fi
		from=$((from + at))
	done
}

plain 0 'step 3\nback 2\n'
says 'step 0/' 'step 1/' 'step 2/' 'step 3/' 'step 1/'
report "one line per event, one command after the other" "$scratch/out"

plain 0 'step 2'
says 'step 2/'
report "the last line needs no end" "$scratch/out"

plain 0 'finish\ncopy\nquit\nstep\n'
says 'step 64/' '^[a-z ]{20}'
tail -n 1 "$scratch/said" | grep -q 'step 1/' && echo "it went on after quit" >>"$scratch/out"
report "quit ends it" "$scratch/out"

plain 1 'bogus\nstep\n'
says "error: no command 'bogus'" 'step 1/'
report "a bad command is told, the rest goes on, the status is 1" "$scratch/out"

plain 0 'keys ll\ninspect\n'
says 'token 2 ' 'the denoiser'
report "keys act, and inspect tells of the token in words" "$scratch/out"

plain 0 'help seed\nmenu\n'
says '^seed ' '^step ' '^quit'
report "help and menu are lists" "$scratch/out"

printf '# a script\nstep 2\nset kappa .5\nwait .01\nstep 1\n' >"$scratch/script"
plain 0 '' --play "$scratch/script" --record "$scratch/record"
says 'step 2/' 'step 3/'
cmp "$scratch/record" - >>"$scratch/out" 2>&1 <<'END'
step 2
set kappa .5
step 1
END
report "a script is played, and recorded as its commands" "$scratch/out"

cp "$scratch/said" "$scratch/first"
plain 0 '' --play "$scratch/record"
diff <(grep -o 'step [0-9]*/.*' "$scratch/first") <(grep -o 'step [0-9]*/.*' "$scratch/said") >>"$scratch/out"
report "what was recorded gives the same states" "$scratch/out"

printf 'step\nnonsense\n' >"$scratch/script"
plain 1 '' --play "$scratch/script"
grep -q ':2: no command' "$scratch/err" || cat "$scratch/err" >>"$scratch/out"
report "a script's bad line is named" "$scratch/out"

plain 1 '' --play "$scratch/none"
grep -q 'none: No such file' "$scratch/err" || cat "$scratch/err" >>"$scratch/out"
report "a script that is not there" "$scratch/out"

: >"$scratch/out"
if [ -w /dev/full ]; then
	echo step | "$PSIVIEW" --plain >/dev/full 2>"$scratch/err"
	[ $? -eq 1 ] && grep -qi 'space' "$scratch/err" || cat "$scratch/err" >"$scratch/out"
	report "a full disk" "$scratch/out"
	plain 1 'step\n' --record /dev/full
	grep -q '/dev/full: No space' "$scratch/err" || cat "$scratch/err" >>"$scratch/out"
	report "a full disk for --record" "$scratch/out"
fi

finish
