"""Plays GitHub and EC2: a spot instance gets its notice, and the job that ran there fails.

    docker compose exec ministack python /try-out/interrupted-job.py

The controller finds the evidence and stores that the job is to come back. It then asks GitHub, where nobody knows the job.
"""

import datetime
import hashlib
import hmac
import json
import random

import boto3

SECRET = b"fake-webhook-secret"
ACCOUNT, REGION, REPOSITORY = "000000000000", "eu-west-1", "acme/try-out"

sqs = boto3.client("sqs")


def send(name, message, **attributes):
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    attributes = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()}
    sqs.send_message(QueueUrl=url, MessageBody=message, MessageAttributes=attributes)


def warning(instance, now):
    return {
        "version": "0",
        "id": "12345678-1234-4234-8234-123456789012",
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2",
        "account": ACCOUNT,
        "time": now,
        "region": REGION,
        "resources": [f"arn:aws:ec2:{REGION}a:instance/{instance}"],
        "detail": {"instance-id": instance, "instance-action": "terminate"},
    }


def failed_job(instance, number, began, now):
    owner, name = REPOSITORY.split("/")
    return {
        "action": "completed",
        "workflow_job": {
            "id": number,
            "run_id": number + 1,
            "run_attempt": 1,
            "name": "e2e",
            "workflow_name": "ci",
            "head_branch": "main",
            "head_sha": "0123456789abcdef0123456789abcdef01234567",
            "status": "completed",
            "conclusion": "failure",
            "labels": ["self-hosted"],
            "runner_name": f"runner-{instance}-1",
            "created_at": began,
            "started_at": began,
            "completed_at": now,
            "steps": [],
        },
        "repository": {"id": 1, "name": name, "full_name": REPOSITORY, "owner": {"login": owner}},
        "installation": {"id": 1},
    }


def webhook(event, payload):
    body = json.dumps(payload)
    signature = "sha256=" + hmac.new(SECRET, body.encode(), hashlib.sha256).hexdigest()
    send("reprise-webhooks", body, **{"X-GitHub-Event": event, "X-Hub-Signature-256": signature})


def at(seconds_ago):
    time = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


instance = f"i-{random.getrandbits(68):017x}"
send("reprise-ec2-events", json.dumps(warning(instance, at(30))))
webhook("workflow_job", failed_job(instance, random.getrandbits(40), at(300), at(0)))
print(f"EC2 takes {instance}, and the job e2e of {REPOSITORY} fails there")
