#!/bin/sh
# Runs scenarios as a job of Docker's swarm mode, one part of them in each task, and merges the results:
#
#     ci/examples/swarm.sh FOLDER OUT TASKS
#
# FOLDER holds a folder `scenarios` and all files that these name, as `labsim init FOLDER` writes them. Every
# node of the swarm has FOLDER and OUT under these absolute paths (one node, or a network file system) and
# the image (IMAGE, by default labsim-shell; ci/image --with-shell builds it). JOBS labs run side by side in
# each task (by default `auto`; less where tasks share a node). Ends like one run of all scenarios: with
# labsim's exit code.
#
# A service takes no --security-opt: on nodes with AppArmor, give the daemon a profile that permits mounts.
set -eu
folder=${1:?a folder of scenarios} out=${2:?a folder for results} tasks=${3:?a number of tasks}
image=${IMAGE:-labsim-shell} service=labsim-$$

# An engine may give the node's name instead of the slot of the first task: that task runs the last part.
# shellcheck disable=SC2016 # Expanded in the task.
part='case $SLOT in 0 | *[!0-9]*) SLOT=$TASKS ;; esac
# The engine may start a task again that has failed: the results of the first one stay.
mkdir "/out/$SLOT" || exit 1
exec labsim run /labs/scenarios --partition "hash:$SLOT/$TASKS" --jobs "$JOBS" --out "/out/$SLOT"'
docker service create --quiet --detach --name "$service" --mode replicated-job --replicas "$tasks" \
    --restart-condition none --cap-add SYS_ADMIN --env 'SLOT={{.Task.Slot}}' --env "TASKS=$tasks" \
    --env "JOBS=${JOBS:-auto}" \
    --mount "type=bind,source=$folder,target=/labs,readonly" --mount "type=bind,source=$out,target=/out" \
    "$image" sh -c "$part" >/dev/null 2>&1
trap 'docker service rm "$service" >/dev/null' EXIT

# Until every task has ended, whatever way.
deadline=$(($(date +%s) + ${TIMEOUT:-600}))
until [ "$(docker service ps "$service" --format '{{.Name}} {{.CurrentState}}' \
    | awk '$2 ~ /^(Complete|Failed|Shutdown|Rejected|Orphaned)$/ {print $1}' | sort -u | wc -l)" -ge "$tasks" ]; do
    [ "$(date +%s)" -lt "$deadline" ] || { echo "swarm.sh: tasks still run after the timeout" >&2; break; }
    sleep 0.2
done
docker service ps "$service" --no-trunc --format '{{.Name}}: {{.CurrentState}} {{.Error}}'
docker run --rm --volume "$out:/out" "$image" sh -c \
    'exec labsim merge /out/[0-9]* --out /out/merged --junit /out/junit.xml --json /out/results.json'
