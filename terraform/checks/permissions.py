"""Who may do what, and who may not: the table that the policies are held to.

A table names the test run of a module whose policies it judges, and those policies: of roles (`identity`), and of
the queue or role that is asked for (`of_resource`). A row: may or may not, what that means, action, resource, and
what else the request brings, `who` being the principal where the resource has a policy.
"""

from dataclasses import dataclass, field

MAY, MAY_NOT = True, False

ACCOUNT, REGION = "123456789012", "eu-west-1"
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
ITSELF, ANOTHER = f"{EC2}:instance/i-0000000000000000a", f"{EC2}:instance/i-0000000000000000b"
INTERRUPTED = "runs-on-workflow-job-interrupted"
STACK = "runs-on-stack-name"
TABLES_OF = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:production"


@dataclass
class Table:
    folder: str
    run: str
    rows: list
    identity: list = field(default_factory=list)
    of_resource: str = None


def tags(key=INTERRUPTED, value="true", of=ITSELF, by=ITSELF, **more):
    """What CreateTags brings along. EC2 knows the instance whose credentials sign as ec2:SourceInstanceARN, and the
    one that is tagged as aws:ARN."""
    keys = {f"aws:RequestTag/{key}": value, **{f"aws:RequestTag/{name}": value for name in more.get("and_keys", [])}}
    return {"aws:ARN": of, "ec2:SourceInstanceARN": by, "aws:TagKeys": [key, *more.get("and_keys", [])], **keys}


def row_of(instance, by="i-0000000000000000a"):
    return {"dynamodb:LeadingKeys": [f"AROAEXAMPLEEXAMPLE123:{instance}"], "aws:userid": f"AROAEXAMPLEEXAMPLE123:{by}"}


RUNNERS = f"{TABLES_OF}/reprise-runners"

AGENT = [
    (MAY, "tag itself as interrupted", "ec2:CreateTags", ITSELF, tags()),
    (MAY_NOT, "tag another instance", "ec2:CreateTags", ANOTHER, tags(of=ANOTHER)),
    (MAY_NOT, "take the tag's value from itself", "ec2:CreateTags", ITSELF, tags(value="false")),
    (MAY_NOT, "tag itself with another key", "ec2:CreateTags", ITSELF, tags(key=STACK)),
    (MAY_NOT, "tag itself with another key beside it", "ec2:CreateTags", ITSELF, tags(and_keys=[STACK])),
    (MAY_NOT, "tag itself with nothing", "ec2:CreateTags", ITSELF, {"aws:ARN": ITSELF, "ec2:SourceInstanceARN": ITSELF}),
    (MAY_NOT, "tag from outside of any instance", "ec2:CreateTags", ITSELF,
     {name: value for name, value in tags().items() if name != "ec2:SourceInstanceARN"}),
    (MAY_NOT, "tag an image", "ec2:CreateTags", f"arn:aws:ec2:{REGION}::image/ami-0123456789abcdef0", tags()),
    (MAY_NOT, "tag in another region", "ec2:CreateTags", ITSELF.replace(REGION, "us-east-1"), tags()),
    (MAY_NOT, "take its tag away", "ec2:DeleteTags", ITSELF, tags()),
    (MAY_NOT, "end itself", "ec2:TerminateInstances", ITSELF, tags()),
    (MAY_NOT, "look at other instances", "ec2:DescribeInstances", "*", tags()),
    (MAY_NOT, "take on another role", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/production-controller", {}),
    (MAY_NOT, "read the App's key", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:reprise/app-key-AbCdEf", {}),
    (MAY_NOT, "send an event", "sqs:SendMessage", f"{QUEUE}-ec2-events", {}),
    (MAY_NOT, "read a parameter", "ssm:GetParameter", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a", {}),
]

OWN_ROW = [
    (MAY, "read its own row", "dynamodb:GetItem", RUNNERS, row_of("i-0000000000000000a")),
    (MAY_NOT, "read another's row", "dynamodb:GetItem", RUNNERS, row_of("i-0000000000000000b")),
    (MAY_NOT, "read a row without saying which", "dynamodb:GetItem", RUNNERS, {"aws:userid": "AROAEXAMPLEEXAMPLE123:i-0000000000000000a"}),
    (MAY_NOT, "read many rows", "dynamodb:BatchGetItem", RUNNERS, row_of("i-0000000000000000a")),
    (MAY_NOT, "read the whole table", "dynamodb:Scan", RUNNERS, row_of("i-0000000000000000a")),
    (MAY_NOT, "write its own row", "dynamodb:PutItem", RUNNERS, row_of("i-0000000000000000a")),
    (MAY_NOT, "delete its own row", "dynamodb:DeleteItem", RUNNERS, row_of("i-0000000000000000a")),
    (MAY_NOT, "read the ledger", "dynamodb:GetItem", f"{TABLES_OF}/reprise", row_of("i-0000000000000000a")),
]

THERE = "us-east-1"
ITSELF_THERE, RUNNERS_THERE = ITSELF.replace(REGION, THERE), RUNNERS.replace(REGION, THERE)
AGENT_THERE = [
    (MAY, "tag itself in a further region", "ec2:CreateTags", ITSELF_THERE, tags(of=ITSELF_THERE, by=ITSELF_THERE)),
    (MAY, "read its own row in a further region", "dynamodb:GetItem", RUNNERS_THERE, row_of("i-0000000000000000a")),
    (MAY_NOT, "tag another instance in a further region", "ec2:CreateTags", ITSELF_THERE, tags(of=ITSELF_THERE, by=ITSELF)),
    (MAY_NOT, "read another's row in a further region", "dynamodb:GetItem", RUNNERS_THERE, row_of("i-0000000000000000b")),
    (MAY_NOT, "read a row in a region that nobody named", "dynamodb:GetItem", RUNNERS.replace(REGION, "us-west-2"), row_of("i-0000000000000000a")),
]

TEMPLATE = f"{EC2}:launch-template/lt-0123456789abcdef0"
OTHER_TEMPLATE = f"{EC2}:launch-template/lt-0123456789abcdef1"
RUNNER_ROLE = f"arn:aws:iam::{ACCOUNT}:role/production-runner"
OURS, THEIRS = {f"aws:ResourceTag/{STACK}": "production"}, {f"aws:ResourceTag/{STACK}": "staging"}


def launch(template=TEMPLATE, stack="production"):
    return {**({"ec2:LaunchTemplate": template} if template else {}), **({f"aws:RequestTag/{STACK}": stack} if stack else {})}


JOB = {"aws:TagKeys": ["runs-on-workflow-job-id", "runs-on-workflow-job-started"]}

WATCH = [
    (MAY, "receive webhooks", "sqs:ReceiveMessage", f"{QUEUE}-webhooks", {}),
    (MAY, "delete events that were dealt with", "sqs:DeleteMessage", f"{QUEUE}-ec2-events", {}),
    (MAY, "hold a message", "sqs:ChangeMessageVisibility", f"{QUEUE}-webhooks", {}),
    (MAY, "put aside what cannot be read", "sqs:SendMessage", f"{QUEUE}-webhooks-dead", {}),
    (MAY_NOT, "make up a webhook", "sqs:SendMessage", f"{QUEUE}-webhooks", {}),
    (MAY_NOT, "make up an event", "sqs:SendMessage", f"{QUEUE}-ec2-events", {}),
    (MAY, "count webhooks", "sqs:GetQueueAttributes", f"{QUEUE}-webhooks", {}),
    (MAY, "count events", "sqs:GetQueueAttributes", f"{QUEUE}-ec2-events", {}),
    (MAY, "count dead webhooks", "sqs:GetQueueAttributes", f"{QUEUE}-webhooks-dead", {}),
    (MAY, "count dead events", "sqs:GetQueueAttributes", f"{QUEUE}-ec2-events-dead", {}),
    (MAY_NOT, "count another queue's messages", "sqs:GetQueueAttributes", f"{QUEUE}-payroll", {}),
    (MAY_NOT, "receive dead letters", "sqs:ReceiveMessage", f"{QUEUE}-webhooks-dead", {}),
    (MAY_NOT, "empty a queue", "sqs:PurgeQueue", f"{QUEUE}-webhooks", {}),
    (MAY_NOT, "open a queue to others", "sqs:SetQueueAttributes", f"{QUEUE}-ec2-events", {}),
    (MAY, "read a record", "dynamodb:GetItem", f"{TABLES_OF}/reprise", {}),
    (MAY, "write a record", "dynamodb:UpdateItem", f"{TABLES_OF}/reprise", {}),
    (MAY, "find what is due", "dynamodb:Query", f"{TABLES_OF}/reprise/index/due", {}),
    (MAY_NOT, "write another table", "dynamodb:UpdateItem", f"{TABLES_OF}/payroll", {}),
    (MAY_NOT, "delete the ledger", "dynamodb:DeleteTable", f"{TABLES_OF}/reprise", {}),
    (MAY_NOT, "delete a record", "dynamodb:DeleteItem", f"{TABLES_OF}/reprise", {}),
    (MAY, "look at instances", "ec2:DescribeInstances", "*", {}),
    (MAY, "look for the proof of an interruption", "ec2:DescribeSpotInstanceRequests", "*", {}),
    (MAY_NOT, "change what it may do", "iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/production-controller", {}),
    (MAY_NOT, "read secrets by itself", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:reprise/app-key-AbCdEf", {}),
    (MAY_NOT, "read instances' user data", "ec2:DescribeInstanceAttribute", ITSELF, OURS),
    (MAY_NOT, "change the launch template", "ec2:CreateLaunchTemplateVersion", TEMPLATE, {}),
]

LAUNCH = [
    (MAY, "launch from our template, by a fleet", "ec2:CreateFleet", TEMPLATE, {}),
    (MAY, "launch from our template, as EC2 does for the fleet", "ec2:RunInstances", TEMPLATE, launch()),
    (MAY_NOT, "make a fleet from another template", "ec2:CreateFleet", OTHER_TEMPLATE, {}),
    (MAY_NOT, "run instances from another template", "ec2:RunInstances", OTHER_TEMPLATE, launch(OTHER_TEMPLATE)),
    (MAY, "launch an instance with the stack's tag", "ec2:RunInstances", ITSELF, launch()),
    (MAY, "launch an instance with the stack's tag, in a fleet", "ec2:CreateFleet", ITSELF, launch(template=None)),
    (MAY_NOT, "launch an instance without the stack's tag", "ec2:RunInstances", ITSELF, launch(stack=None)),
    (MAY_NOT, "launch an instance for another stack", "ec2:RunInstances", ITSELF, launch(stack="staging")),
    (MAY_NOT, "launch an instance without a template", "ec2:RunInstances", ITSELF, launch(template=None)),
    (MAY_NOT, "launch an instance by another template", "ec2:RunInstances", ITSELF, launch(OTHER_TEMPLATE)),
    (MAY, "launch into a subnet of ours", "ec2:RunInstances", f"{EC2}:subnet/subnet-0123456789abcdef0", launch()),
    (MAY, "launch into a private subnet of ours", "ec2:CreateFleet", f"{EC2}:subnet/subnet-0123456789abcdef2", {}),
    (MAY_NOT, "launch into another subnet", "ec2:RunInstances", f"{EC2}:subnet/subnet-0123456789abcdef9", launch()),
    (MAY_NOT, "launch with another security group", "ec2:RunInstances", f"{EC2}:security-group/sg-0123456789abcdef9", launch()),
    (MAY, "use an image", "ec2:RunInstances", f"arn:aws:ec2:{REGION}::image/ami-0123456789abcdef0", launch()),
    (MAY, "make an instance's volume", "ec2:RunInstances", f"{EC2}:volume/vol-0123456789abcdef0", launch()),
    (MAY_NOT, "launch with somebody's key pair", "ec2:RunInstances", f"{EC2}:key-pair/somebody", launch()),
    (MAY, "tag at the launch", "ec2:CreateTags", ITSELF, {**launch(), "ec2:CreateAction": "RunInstances"}),
    (MAY_NOT, "launch one that looks interrupted", "ec2:CreateTags", ITSELF, {**launch(), "ec2:CreateAction": "CreateFleet", "aws:RequestTag/runs-on-workflow-job-interrupted": "true"}),
    (MAY_NOT, "tag another stack's at the launch", "ec2:CreateTags", ITSELF, {**launch(stack="staging"), "ec2:CreateAction": "RunInstances"}),
    (MAY_NOT, "make an instance the stack's that is there", "ec2:CreateTags", ITSELF, {**launch(), "aws:TagKeys": [STACK]}),
    (MAY, "say which job an instance has", "ec2:CreateTags", ITSELF, {**OURS, **JOB}),
    (MAY_NOT, "say so of another stack's instance", "ec2:CreateTags", ITSELF, {**THEIRS, **JOB}),
    (MAY_NOT, "say so of an instance without a stack", "ec2:CreateTags", ITSELF, JOB),
    (MAY_NOT, "tag an instance with nothing", "ec2:CreateTags", ITSELF, OURS),
    (MAY_NOT, "forge an interruption", "ec2:CreateTags", ITSELF, {**OURS, "aws:TagKeys": [INTERRUPTED]}),
    (MAY_NOT, "tag an image", "ec2:CreateTags", f"arn:aws:ec2:{REGION}::image/ami-0123456789abcdef0", {**OURS, **JOB}),
    (MAY, "end an instance of the stack", "ec2:TerminateInstances", ITSELF, OURS),
    (MAY_NOT, "end an instance of another stack", "ec2:TerminateInstances", ITSELF, THEIRS),
    (MAY_NOT, "end an instance of nobody's", "ec2:TerminateInstances", ITSELF, {}),
    (MAY_NOT, "end in another region", "ec2:TerminateInstances", ITSELF.replace(REGION, "us-east-1"), OURS),
    (MAY_NOT, "stop an instance", "ec2:StopInstances", ITSELF, OURS),
    (MAY, "read the console of an instance of the stack", "ec2:GetConsoleOutput", ITSELF, OURS),
    (MAY_NOT, "read the console of another stack's instance", "ec2:GetConsoleOutput", ITSELF, THEIRS),
    (MAY_NOT, "read the console of nobody's instance", "ec2:GetConsoleOutput", ITSELF, {}),
    (MAY_NOT, "read what an instance's screen shows", "ec2:GetConsoleScreenshot", ITSELF, OURS),
    (MAY, "pass the runners' role to EC2", "iam:PassRole", RUNNER_ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}),
    (MAY_NOT, "pass the runners' role to a function", "iam:PassRole", RUNNER_ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
    (MAY_NOT, "pass an administrator's role", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin", {"iam:PassedToService": "ec2.amazonaws.com"}),
    (MAY_NOT, "take on the runners' role", "sts:AssumeRole", RUNNER_ROLE, {}),
    (MAY_NOT, "take on another region's role that nobody named", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/production-us-east-1", {}),
    (MAY, "hand a runner its configuration", "dynamodb:BatchWriteItem", RUNNERS, {}),
    (MAY_NOT, "read what it handed over", "dynamodb:GetItem", RUNNERS, {}),
    (MAY, "look at images", "ec2:DescribeImages", "*", {}),
    (MAY_NOT, "ask a function that is not configured", "lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:flaky-judge", {}),
]

NO_LAUNCH = [
    (MAY_NOT, f"{what} in retry-only mode", action, resource, context)
    for may, what, action, resource, context in LAUNCH
]

GATEWAY = ("AWS", f"arn:aws:iam::{ACCOUNT}:role/production-webhooks")
CONTROLLER = ("AWS", f"arn:aws:iam::{ACCOUNT}:role/production-controller")
OPERATOR = ("AWS", f"arn:aws:iam::{ACCOUNT}:role/operator")
EVENTS = ("Service", "events.amazonaws.com")
SNS = ("Service", "sns.amazonaws.com")
OUR_RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/production-interruption-warning"


def role(who, tls="true"):
    return {"who": who, "aws:PrincipalArn": who[1], "aws:PrincipalIsAWSService": "false", "aws:SecureTransport": tls}


def service(who, source=OUR_RULE, account=ACCOUNT):
    return {
        "who": who, "aws:PrincipalIsAWSService": "true", "aws:SecureTransport": "true",
        "aws:SourceArn": source, "aws:SourceAccount": account,
    }


# As if every role had the right to send anywhere, by a policy of its own: then only the queue's keeps it out.
SEND = "sqs:SendMessage"


def to_webhooks(operator):
    queue = f"{QUEUE}-webhooks"
    return [
        (MAY, "the gateway sends webhooks", SEND, queue, role(GATEWAY)),
        (MAY_NOT, "the gateway sends without TLS", SEND, queue, role(GATEWAY, tls="false")),
        (MAY_NOT, "a controller sends webhooks", SEND, queue, role(CONTROLLER)),
        (MAY_NOT, "EventBridge sends webhooks", SEND, queue, service(EVENTS)),
        (MAY_NOT, "a topic sends webhooks", SEND, queue, service(SNS)),
        (operator, "an operator redrives webhooks", SEND, queue, role(OPERATOR)),
    ]


def to_events(operator):
    queue = f"{QUEUE}-ec2-events"
    return [
        (MAY, "our rule sends events", SEND, queue, service(EVENTS)),
        (MAY_NOT, "somebody's rule sends events", SEND, queue, service(EVENTS, source=OUR_RULE + "-forged")),
        (MAY_NOT, "another account's rule sends events", SEND, queue, service(EVENTS, account="210987654321")),
        (MAY_NOT, "a topic sends events", SEND, queue, service(SNS)),
        (MAY_NOT, "the gateway sends events", SEND, queue, role(GATEWAY)),
        (MAY_NOT, "a controller sends events", SEND, queue, role(CONTROLLER)),
        (MAY_NOT, "an administrator sends events", SEND, queue, role(("AWS", f"arn:aws:iam::{ACCOUNT}:role/admin"))),
        (operator, "an operator redrives events", SEND, queue, role(OPERATOR)),
    ]


# A role's own policy does not say which role it is about.
THIS_ROLE = f"arn:aws:iam::{ACCOUNT}:role/this"


def taken_by(who, **context):
    return ("sts:AssumeRole", THIS_ROLE, {"who": who, **context})


def trusts(name, owner, **context):
    return [
        (MAY, f"{owner} takes on {name}", *taken_by(("Service", owner), **context)),
        (MAY_NOT, f"a function takes on {name}", *taken_by(("Service", "lambda.amazonaws.com"), **context)),
        (MAY_NOT, f"a role takes on {name}", *taken_by(CONTROLLER, **context)),
    ]


OUR_ECS = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/production"}

START = [
    (MAY, "write the log", "logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/reprise/production/controller:log-stream:a", {}),
    (MAY_NOT, "write another log", "logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/a:log-stream:a", {}),
    (MAY, "read the App's key", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:reprise/app-key-AbCdEf", {}),
    (MAY, "read the webhook secret", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:reprise/webhook-GhIjKl", {}),
    (MAY_NOT, "read another secret", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:payroll-MnOpQr", {}),
    (MAY_NOT, "change a secret", "secretsmanager:PutSecretValue", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:reprise/app-key-AbCdEf", {}),
    (MAY, "pull the image", "ecr:BatchGetImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/reprise-controller", {}),
    (MAY_NOT, "push an image", "ecr:PutImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/reprise-controller", {}),
    (MAY_NOT, "pull another image", "ecr:BatchGetImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/payroll", {}),
]

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key"
SECRETS_KEY, LEDGER_KEY = f"{KEY}/00000000-0000-0000-0000-000000000000", f"{KEY}/11111111-1111-1111-1111-111111111111"


def via(name):
    return {"kms:ViaService": f"{name}.{REGION}.amazonaws.com"}


FLEET_RUN, RETRY_RUN = "configures_a_fleet", "launches_nothing_beside_another_fleet"
MORE_RUN = "takes_more_settings_a_health_check_and_prometheus"
ONE_RULE, ALL_RULES = "admits_one_source_to_each_queue", "sends_the_other_events_when_asked"
ROLE = "aws_iam_role_policy.controller"

TABLES = [
    Table("modules/agent", "tags_itself_with_one_key_and_reads_its_own_row", AGENT + OWN_ROW, ["aws_iam_role_policy.agent"]),
    Table("modules/agent", "only_tags_itself_where_there_is_no_runner_table",
          [(MAY_NOT, what, *rest) for may, what, *rest in OWN_ROW] + [AGENT[0], AGENT[1]], ["aws_iam_role_policy.agent"]),
    Table("modules/runner", "launches_instances_that_keep_their_credentials_to_themselves", AGENT + OWN_ROW,
          ["module.agent.aws_iam_role_policy.agent"]),
    Table("modules/runner", "lets_instances_of_more_regions_tag_themselves_and_read_their_rows_there", 
          AGENT_THERE + [AGENT[0], *OWN_ROW], ["module.agent.aws_iam_role_policy.agent"]),
    Table("modules/runner", "launches_instances_that_keep_their_credentials_to_themselves",
          trusts("the runners' role", "ec2.amazonaws.com"), of_resource="aws_iam_role.runner"),

    Table("modules/controller", FLEET_RUN, WATCH + LAUNCH, [ROLE]),
    Table("modules/controller", RETRY_RUN, WATCH + NO_LAUNCH, [ROLE]),
    Table("modules/controller", MORE_RUN, [
        (MAY, "ask a function that is configured", "lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:flaky-judge", {}),
        (MAY_NOT, "ask another function", "lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:payroll", {}),
        (MAY, "take on the role of another region", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/production-us-east-1", {}),
        (MAY_NOT, "take on an administrator's role", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/admin", {}),
        (MAY, "read an encrypted ledger", "kms:Decrypt", LEDGER_KEY, via("dynamodb")),
        (MAY_NOT, "decrypt with the ledger's key by itself", "kms:Decrypt", LEDGER_KEY, {}),
        (MAY_NOT, "decrypt secrets", "kms:Decrypt", SECRETS_KEY, via("secretsmanager")),
    ], [ROLE]),
    Table("modules/controller", FLEET_RUN, START, ["aws_iam_role_policy.execution"]),
    Table("modules/controller", MORE_RUN, [
        (MAY, "decrypt secrets", "kms:Decrypt", SECRETS_KEY, via("secretsmanager")),
        (MAY_NOT, "decrypt otherwise", "kms:Decrypt", SECRETS_KEY, via("s3")),
    ], ["aws_iam_role_policy.execution"]),
    Table("modules/controller", FLEET_RUN, trusts("the controllers' role", "ecs-tasks.amazonaws.com", **OUR_ECS) + [
        (MAY_NOT, "another account's task takes on the controllers' role", *taken_by(
            ("Service", "ecs-tasks.amazonaws.com"), **{**OUR_ECS, "aws:SourceAccount": "210987654321"})),
    ], of_resource="aws_iam_role.controller"),
    Table("modules/controller", FLEET_RUN, trusts("the role that starts controllers", "ecs-tasks.amazonaws.com"),
          of_resource="aws_iam_role.execution"),

    Table("modules/ingress", ONE_RULE, [
        (MAY, "send webhooks", SEND, f"{QUEUE}-webhooks", {}),
        (MAY_NOT, "send events", SEND, f"{QUEUE}-ec2-events", {}),
        (MAY_NOT, "send dead letters", SEND, f"{QUEUE}-webhooks-dead", {}),
        (MAY_NOT, "receive webhooks", "sqs:ReceiveMessage", f"{QUEUE}-webhooks", {}),
    ], ["aws_iam_role_policy.gateway"]),
    Table("modules/ingress", ONE_RULE, trusts("the gateway's role", "apigateway.amazonaws.com"), of_resource="aws_iam_role.gateway"),
    Table("modules/ingress", ONE_RULE, to_webhooks(MAY_NOT), ["everything"], 'aws_sqs_queue_policy.queue["webhooks"]'),
    Table("modules/ingress", ONE_RULE, to_events(MAY_NOT), ["everything"], 'aws_sqs_queue_policy.queue["ec2-events"]'),
    Table("modules/ingress", ALL_RULES, to_webhooks(MAY), ["everything"], 'aws_sqs_queue_policy.queue["webhooks"]'),
    Table("modules/ingress", ALL_RULES, to_events(MAY) + [
        (MAY, "the rule of state changes sends events", SEND, f"{QUEUE}-ec2-events",
         service(EVENTS, source=OUR_RULE.replace("interruption-warning", "state-change"))),
    ], ["everything"], 'aws_sqs_queue_policy.queue["ec2-events"]'),
    Table("modules/ingress", ONE_RULE, [
        (MAY, "our rule leaves what it cannot deliver", SEND, f"{QUEUE}-ec2-events-dead", service(EVENTS)),
        (MAY_NOT, "somebody's rule leaves something", SEND, f"{QUEUE}-ec2-events-dead", service(EVENTS, source=OUR_RULE + "-forged")),
        (MAY_NOT, "a role without rights leaves something", SEND, f"{QUEUE}-ec2-events-dead", role(CONTROLLER)),
    ], of_resource='aws_sqs_queue_policy.dead["ec2-events"]'),
    Table("modules/ingress", ONE_RULE, [
        (MAY, "a controller leaves what it cannot read", SEND, f"{QUEUE}-webhooks-dead", role(CONTROLLER)),
        (MAY_NOT, "a controller leaves it without TLS", SEND, f"{QUEUE}-webhooks-dead", role(CONTROLLER, tls="false")),
    ], ["everything"], 'aws_sqs_queue_policy.dead["webhooks"]'),
]

# Nothing that is not marked, or not the stack's, is ever interrupted on purpose.
MARK = "reprise-drill"
MARKED = {**OURS, f"aws:ResourceTag/{MARK}": "true"}
DRILL_RUN = "takes_one_marked_spot_instance_of_the_stack_with_the_usual_notice"
FIS = f"arn:aws:fis:{REGION}:{ACCOUNT}"
OUR_EXPERIMENT = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"{FIS}:experiment/EXP1"}
INTERRUPT = "ec2:SendSpotInstanceInterruptions"
LINKED = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role"

DRILL = [
    (MAY, "interrupt a marked instance of the stack", INTERRUPT, ITSELF, MARKED),
    (MAY_NOT, "interrupt one that is not marked", INTERRUPT, ITSELF, OURS),
    (MAY_NOT, "interrupt one whose mark was taken back", INTERRUPT, ITSELF, {**OURS, f"aws:ResourceTag/{MARK}": "over"}),
    (MAY_NOT, "interrupt another stack's", INTERRUPT, ITSELF, {**MARKED, **THEIRS}),
    (MAY_NOT, "interrupt nobody's", INTERRUPT, ITSELF, {f"aws:ResourceTag/{MARK}": "true"}),
    (MAY_NOT, "interrupt in another region", INTERRUPT, ITSELF.replace(REGION, "us-east-1"), MARKED),
    (MAY, "find its target", "ec2:DescribeInstances", "*", {}),
    (MAY_NOT, "end an instance", "ec2:TerminateInstances", ITSELF, MARKED),
    (MAY_NOT, "mark an instance itself", "ec2:CreateTags", ITSELF, {**OURS, "aws:TagKeys": [MARK]}),
]

DRILLER = [
    (MAY, "begin the drill", "fis:StartExperiment", f"{FIS}:experiment-template/EXTrepriseDrill001", {}),
    (MAY, "make the drill's experiment", "fis:StartExperiment", f"{FIS}:experiment/EXP1", {}),
    (MAY_NOT, "begin another experiment", "fis:StartExperiment", f"{FIS}:experiment-template/EXT2", {}),
    (MAY_NOT, "change the template", "fis:UpdateExperimentTemplate", f"{FIS}:experiment-template/EXTrepriseDrill001", {}),
    (MAY, "watch the drill", "fis:GetExperiment", f"{FIS}:experiment/EXP1", {}),
    (MAY, "mark an instance of the stack", "ec2:CreateTags", ITSELF, {**OURS, "aws:TagKeys": [MARK]}),
    (MAY_NOT, "mark another stack's", "ec2:CreateTags", ITSELF, {**THEIRS, "aws:TagKeys": [MARK]}),
    (MAY_NOT, "make an instance the stack's", "ec2:CreateTags", ITSELF, {**OURS, "aws:TagKeys": [STACK]}),
    (MAY_NOT, "forge an interruption", "ec2:CreateTags", ITSELF, {**OURS, "aws:TagKeys": [MARK, INTERRUPTED]}),
    (MAY_NOT, "tag with nothing", "ec2:CreateTags", ITSELF, OURS),
    (MAY_NOT, "interrupt by itself", INTERRUPT, ITSELF, MARKED),
    (MAY_NOT, "end an instance", "ec2:TerminateInstances", ITSELF, MARKED),
    (MAY, "have the service's role made", "iam:CreateServiceLinkedRole",
     f"{LINKED}/fis.amazonaws.com/AWSServiceRoleForFIS", {"iam:AWSServiceName": "fis.amazonaws.com"}),
    (MAY_NOT, "have another service's role made", "iam:CreateServiceLinkedRole",
     f"{LINKED}/spot.amazonaws.com/AWSServiceRoleForEC2Spot", {"iam:AWSServiceName": "spot.amazonaws.com"}),
    (MAY_NOT, "pass the drill's role", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/production-drill", {"iam:PassedToService": "fis.amazonaws.com"}),
]

TABLES += [
    Table("modules/drill", DRILL_RUN, DRILL, ["aws_iam_role_policy.drill"]),
    Table("modules/drill", DRILL_RUN, DRILLER, ["aws_iam_policy.operator"]),
    Table("modules/drill", DRILL_RUN, trusts("the drill's role", "fis.amazonaws.com", **OUR_EXPERIMENT) + [
        (MAY_NOT, "another account's experiment takes on the drill's role", *taken_by(
            ("Service", "fis.amazonaws.com"), **{**OUR_EXPERIMENT, "aws:SourceAccount": "210987654321"})),
    ], of_resource="aws_iam_role.drill"),
]

# The examples put it together: who may do what with the other modules' queues, table, role and template.
TOGETHER = "tells_the_address_for_the_app"
OF_EXAMPLE = "module.controller.aws_iam_role_policy.controller"
TAKES = [
    (MAY, "receive the webhooks of ingress", "sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:reprise-webhooks", {}),
    (MAY, "receive the events of ingress", "sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:reprise-ec2-events", {}),
    (MAY, "write the ledger of state", "dynamodb:UpdateItem", f"{TABLES_OF}/reprise", {}),
]

TABLES += [
    Table("examples/complete", TOGETHER, TAKES + [
        (MAY, "launch from the template of runner", "ec2:CreateFleet", TEMPLATE, {}),
        (MAY, "launch into the runners' subnet", "ec2:RunInstances", f"{EC2}:subnet/subnet-0123456789abcdef2", {}),
        (MAY_NOT, "launch into the controllers' subnet", "ec2:RunInstances", f"{EC2}:subnet/subnet-0123456789abcdef0", {}),
        (MAY, "pass the role of runner", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/reprise-runner",
         {"iam:PassedToService": "ec2.amazonaws.com"}),
        (MAY, "end an instance of its stack", "ec2:TerminateInstances", ITSELF, {f"aws:ResourceTag/{STACK}": "reprise"}),
        (MAY_NOT, "end an instance of another stack", "ec2:TerminateInstances", ITSELF, OURS),
        (MAY, "hand a runner its configuration", "dynamodb:BatchWriteItem", RUNNERS, {}),
    ], [OF_EXAMPLE]),
    Table("examples/complete", TOGETHER, AGENT + OWN_ROW, ["module.runner.module.agent.aws_iam_role_policy.agent"]),
    Table("examples/retry-only", TOGETHER, TAKES + NO_LAUNCH + [
        (MAY_NOT, "end an instance of a stack of its name", "ec2:TerminateInstances", ITSELF, {f"aws:ResourceTag/{STACK}": "reprise"}),
    ], [OF_EXAMPLE]),
    Table("examples/retry-only", TOGETHER, AGENT + [(MAY_NOT, what, *rest) for may, what, *rest in OWN_ROW],
          ["module.agent.aws_iam_role_policy.agent"]),
]

# A policy that allows its holder everything; services have none.
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
