#!/bin/sh
# Says in the job's log what becomes of a job that was interrupted. Whatever happens here, the job does not fail
# for it.
timeout 10 /usr/bin/reprise-agent job-completed || true
exit 0
