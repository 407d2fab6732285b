# mpi.sh: training by several processes (configure --with-mpi): the numbers of
# one process with the same samples, one that writes, signals, failures.
set -u
. "$SRCDIR/tests/tap.sh"
cd "$scratch" || exit 99
limit=${PSIVIEW_LIMIT:-300}

skip_all()
{
	skip "several processes" "$1"
	finish
	exit 0
}

grep -q '^#define HAVE_MPI 1' "$OLDPWD/config.h" 2>/dev/null || skip_all "configured without --with-mpi"
command -v mpirun >/dev/null || skip_all "there is no mpirun (Debian: openmpi-bin)"

# Open MPI wants to be told that root is meant, and how many processes a small machine may run.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
tiny=(--sudoku 4 --hidden 16 --blocks 1 --heads 2 --cond 8 --warmup 5 --valid-samples 9 --valid-every 4
	--save-every 0 --show-samples 0 --log-every 1)

# point NAME COMMAND...: a test point that holds if COMMAND succeeds.
point()
{
	local name=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then : >"$scratch/out"; else echo "failed: $*" >>"$scratch/out"; fi
	report "$name" "$scratch/out"
}

# several N ARGS...: N processes.
several()
{
	local n=$1
	shift
	timeout "$limit" mpirun -n "$n" "$PSIVIEW" train -t 1 "${tiny[@]}" "$@" </dev/null
}

several 1 --steps 1 probe.safetensors >said.out 2>said.err || skip_all "mpirun does not run here: $(head -n 1 said.err)"

# losses FILE: of each step, and the bounds.
losses()
{
	sed -nE 's/.*"event":"(step|valid)","step":([0-9]+),"(loss|nats)":([0-9.]+).*/\2 \1 \4/p' "${1%.safetensors}.log.jsonl"
}

# as_one FILE...: the losses of FILE are those of one.safetensors to rounding.
as_one()
{
	paste -d ' ' <(losses one.safetensors) <(losses "$1") | awk '
		NF != 6 || $1 != $4 || $2 != $5 { print "line " NR ": " $0; bad = 1; exit }
		{ d = $3 - $6; if (d < 0) d = -d; if (d > 1e-4 * $3) { print $0; bad = 1 } }
		END { exit bad || NR < '"$2"' }'
}

timeout "$limit" "$PSIVIEW" train -q "${tiny[@]}" --batch 6 --steps 12 one.safetensors
several 2 --batch 6 --steps 12 two.safetensors >said.out 2>said.err
point "two processes" [ $? -eq 0 ]
point "one of them speaks" [ "$(grep -c '^done: step 12' said.err)" -eq 1 ]
point "one of them writes the log" [ "$(grep -c '"event":"step"' two.log.jsonl)" -eq 12 ]
report "standard output stays quiet" said.out
point "losses and bounds of one process, to rounding" as_one two.safetensors 15
several 3 --batch 7 --steps 12 -q three.safetensors
rc=$?
timeout "$limit" "$PSIVIEW" train -q "${tiny[@]}" --batch 7 --steps 12 --force one.safetensors
point "three processes that share unevenly" [ $rc -eq 0 ]
point "and learn the same" as_one three.safetensors 15
several 3 --batch 7 --steps 12 -q again.safetensors
point "twice the same bits" cmp three.safetensors again.safetensors

several 2 --batch 7 --steps 8 -q parts.safetensors
timeout "$limit" mpirun -n 2 "$PSIVIEW" train -t 1 -q --resume --steps 12 parts.safetensors
point "resumed: losses of one process, to rounding" as_one parts.safetensors 15

# --- signals: to mpirun, which passes SIGTERM on; to one process ---
OMPI_MCA_odls_base_sigkill_timeout=5 \
	mpirun -n 2 "$PSIVIEW" train -t 1 -q "${tiny[@]}" --batch 4 --steps 1000000 stopped.safetensors </dev/null >said.out 2>&1 &
pid=$!
until [ "$(cat stopped.log.jsonl 2>/dev/null | wc -l)" -ge 4 ]; do
	kill -0 $pid 2>/dev/null || break
	sleep .05
done
kill -TERM $pid
wait $pid
rc=$?
point "SIGTERM ends all of them" [ $rc -ne 0 ]
point "and is saved" "$PSIVIEW" verify stopped.safetensors

# --- failures ---
several 2 --batch 4 --steps 3 --task text --data nowhere lost.safetensors >said.out 2>said.err
rc=$?
point "data that is not there: status 1" [ $rc -eq 1 ]
point "told once" [ "$(grep -c '^psiview: nowhere: No such file' said.err)" -eq 1 ]
several 2 --batch 1 --steps 3 few.safetensors >said.out 2>said.err
rc=$?
point "more processes than samples: status 2" [ $rc -eq 2 ]
cp two.safetensors kept.safetensors
several 2 --batch 4 --steps 3 kept.safetensors >said.out 2>said.err
rc=$?
point "a checkpoint that is there: status 2" [ $rc -eq 2 ]
point "told once, and it stays" [ "$(grep -c '^psiview: kept.safetensors is there already' said.err)" -eq 1 ]
mpirun -n 2 "$PSIVIEW" train -t 1 -q "${tiny[@]}" --batch 4 --steps 1000000 killed.safetensors </dev/null >said.out 2>&1 &
pid=$!
until [ "$(cat killed.log.jsonl 2>/dev/null | wc -l)" -ge 4 ]; do
	kill -0 $pid 2>/dev/null || break
	sleep .05
done
other=$(pgrep -P $pid | tail -n 1)
kill -KILL "$other"
wait $pid
rc=$?
point "one process is killed: all end" [ $rc -ne 0 ]

finish
