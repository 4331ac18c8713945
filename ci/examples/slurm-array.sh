#!/bin/sh
# Runs scenarios as a Slurm job array, one part of them in each task, as an ordinary user:
#
#     sbatch --parsable ci/examples/slurm-array.sh
#     sbatch --dependency=afterany:JOB --wrap 'labsim merge results/[0-9]* --junit junit.xml'
#SBATCH --job-name=labsim
#SBATCH --array=1-5
#SBATCH --time=10
set -eu
exec labsim run scenarios --partition "hash:$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --out "results/$SLURM_ARRAY_TASK_ID"
