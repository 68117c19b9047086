"""Makes what the controller expects in ministack: two queues, their dead letters, and the ledger's table.

ministack runs it once it is up, and leaves its own address and fake credentials in the environment.
"""

import json

import boto3

sqs = boto3.client("sqs")
dynamodb = boto3.client("dynamodb")


def queue(name):
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    known = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = {"deadLetterTargetArn": known["Attributes"]["QueueArn"], "maxReceiveCount": 20}
    sqs.create_queue(
        QueueName=name, Attributes={"VisibilityTimeout": "30", "RedrivePolicy": json.dumps(redrive)}
    )


def ledger(name):
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "q", "AttributeType": "S"},
            {"AttributeName": "due", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "q", "KeyType": "HASH"},
                    {"AttributeName": "due", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["ttl"]},
            }
        ],
    )
    ttl = {"Enabled": True, "AttributeName": "ttl"}
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)


queue("reprise-webhooks")
queue("reprise-ec2-events")
ledger("reprise")
