variable "name" {
  description = "The stack's name: what is made here begins with it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name has 3 to 32 small letters, digits and hyphens; it begins with a letter."
  }
}

variable "image" {
  description = "The controller's container image, with a tag or a digest; a digest never changes under you."
  type        = string

  validation {
    condition     = can(regex("(@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$", var.image)) && !endswith(var.image, ":latest")
    error_message = "image ends with a digest or a tag, and not with :latest, so that a restart changes nothing."
  }
}

variable "image_repository_arn" {
  description = "The ECR repository of the image, from which ECS may pull it; null for a public image."
  type        = string
  default     = null

  validation {
    condition     = var.image_repository_arn == null || can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:\\d{12}:repository/", var.image_repository_arn))
    error_message = "image_repository_arn is an ECR repository's ARN."
  }
}

variable "cpu_architecture" {
  description = "What the image is for: X86_64, which CI builds, or ARM64, a fifth cheaper."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "cpu_architecture is X86_64 or ARM64."
  }
}

variable "size" {
  description = "A replica's CPU units and MiB of memory, in one of Fargate's combinations."
  type        = object({ cpu = number, memory = number })
  default     = { cpu = 256, memory = 512 }

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096], var.size.cpu) && var.size.memory >= 2 * var.size.cpu && var.size.memory <= 8 * var.size.cpu && (var.size.memory % 1024 == 0 || var.size.memory == 512)
    error_message = "size.cpu is 256, 512, 1024, 2048 or 4096, and size.memory two to eight times that, in whole GiB or 512."
  }
}

variable "replicas" {
  description = "How many controllers run. One is left while the other is replaced."
  type        = number
  default     = 2

  validation {
    condition     = var.replicas >= 1 && var.replicas <= 10 && floor(var.replicas) == var.replicas
    error_message = "replicas is a whole number between 1 and 10."
  }
}

variable "vpc_id" {
  description = "The VPC in which the controllers run."
  type        = string

  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "vpc_id is an id like vpc-0123456789abcdef0."
  }
}

variable "subnets" {
  description = "Subnets from which GitHub and AWS can be reached, of at least two zones if a zone's end is to end nothing."
  type        = list(string)

  validation {
    condition     = length(var.subnets) > 0 && alltrue([for subnet in var.subnets : can(regex("^subnet-[0-9a-f]{8,17}$", subnet))])
    error_message = "subnets holds at least one id like subnet-0123456789abcdef0."
  }
}

variable "assign_public_ip" {
  description = "Whether controllers have public addresses: true in public subnets, where there is no NAT gateway."
  type        = bool
  default     = false
}

variable "health_check" {
  description = "The command in the container that tells whether the controller is healthy; [] has ECS replace only controllers that ended."
  type        = list(string)
  default     = ["CMD", "/reprise-controller", "--check-health"]

  validation {
    condition     = length(var.health_check) == 0 || contains(["CMD", "CMD-SHELL"], try(var.health_check[0], ""))
    error_message = "health_check begins with CMD or CMD-SHELL."
  }
}

variable "scraped_from" {
  description = "Security groups from which Prometheus may read /metrics; without any it is served to the container alone."
  type        = list(string)
  default     = []
}

variable "github" {
  description = "The GitHub App: its id, and the secrets in Secrets Manager that hold its private key as text, and its webhook secret or a list of secrets as [\"new\", \"old\"]."
  type = object({
    app_id             = number
    private_key_arn    = string
    webhook_secret_arn = string
    repositories       = list(string)
  })

  validation {
    condition     = alltrue([for arn in [var.github.private_key_arn, var.github.webhook_secret_arn] : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\\d{12}:secret:[^*?]+$", arn))])
    error_message = "private_key_arn and webhook_secret_arn are ARNs of secrets in Secrets Manager, without wildcards."
  }

  validation {
    condition     = length(var.github.repositories) > 0
    error_message = "repositories names what is served, as [\"acme/*\"]: labels are written by strangers."
  }
}

variable "secrets_kms_key_arns" {
  description = "Keys of your own that encrypt the two secrets."
  type        = list(string)
  default     = []
}

variable "queues" {
  description = "The ingress module's output queues."
  type = object({
    webhooks                = object({ url = string, arn = string, name = string })
    ec2_events              = object({ url = string, arn = string, name = string })
    webhooks_dead_letters   = object({ url = string, arn = string, name = string })
    ec2_events_dead_letters = object({ url = string, arn = string, name = string })
  })
}

variable "ledger" {
  description = "The ledger: outputs table_name, table_arn and kms_key_arn of the state module."
  type        = object({ name = string, arn = string, kms_key_arn = optional(string) })
}

variable "fleet" {
  description = "What the controller launches: the runner module's outputs, and the subnets, one a zone. Null beside somebody else's fleet: then it may neither launch nor end anything."
  type = object({
    launch_template_id = string
    role_arn           = string
    role_id            = string
    table_name         = optional(string)
    security_group_id  = string
    subnets            = list(string)
    private_subnets    = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.fleet == null || length(concat(try(var.fleet.subnets, []), try(var.fleet.private_subnets, []))) > 0
    error_message = "fleet.subnets holds at least one subnet."
  }
}

variable "tag_prefix" {
  description = "What the keys of all tags begin with: tag_prefix of the agent."
  type        = string
  default     = "runs-on-"
}

variable "settings" {
  description = "More settings of the controller, as { RETRY__EVIDENCE = \"proof\" } for [retry] evidence. What stands here goes before what the module sets."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.settings) : can(regex("^[A-Z][A-Z0-9]*__[A-Z][A-Z0-9_]*$", key))])
    error_message = "settings has keys like RETRY__EVIDENCE: section, two underscores, key, without REPRISE__ before."
  }

  validation {
    condition     = length(setintersection(keys(var.settings), ["GITHUB__PRIVATE_KEY", "GITHUB__WEBHOOK_SECRETS", "API__TOKEN"])) == 0
    error_message = "settings holds no secrets: everybody who may see the task definition can read them."
  }
}

variable "config_path" {
  description = "A configuration file in an image of your own, for [[policy]], which no variable can set. By default there is none: everything comes from the environment."
  type        = string
  default     = "/dev/null"

  validation {
    condition     = startswith(var.config_path, "/")
    error_message = "config_path is an absolute path."
  }
}

variable "ask_lambda_arns" {
  description = "Lambda functions that [ask.*] names."
  type        = list(string)
  default     = []
}

variable "region_role_arns" {
  description = "The roles that [[aws.regions]] names in settings: what a controller may do in further regions, or in another account's."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.region_role_arns : can(regex("^arn:[a-z-]+:iam::\\d{12}:role/[^*?]+$", arn))])
    error_message = "region_role_arns holds ARNs of roles, without wildcards."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that hear of alarms and of their ends."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:", arn))])
    error_message = "alarm_topic_arns holds ARNs of SNS topics."
  }
}

variable "oldest_message_seconds" {
  description = "How old the oldest message of a queue may be before somebody is told."
  type        = number
  default     = 300

  validation {
    condition     = var.oldest_message_seconds >= 120
    error_message = "oldest_message_seconds is at least 120: messages of jobs that failed on spot are held for a minute and longer."
  }
}

variable "log_retention_days" {
  description = "How long the log is kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days is one of the times that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90 ... 731."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
