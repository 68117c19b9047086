variable "name" {
  description = "The stack's name: what is made here begins with it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name has 3 to 32 small letters, digits and hyphens; it begins with a letter."
  }
}

variable "max_receive_count" {
  description = "How often a message is received before SQS gives it up. 20 lasts for an outage of more than an hour."
  type        = number
  default     = 20

  validation {
    condition     = var.max_receive_count >= 5 && var.max_receive_count <= 1000 && floor(var.max_receive_count) == var.max_receive_count
    error_message = "max_receive_count is a whole number between 5 and 1000: with less, a short outage fills the dead-letter queue."
  }
}

variable "throttle_rate" {
  description = "Webhooks a second that pass; GitHub is told 429 of the others, and the controller has them delivered again."
  type        = number
  default     = 200

  validation {
    condition     = var.throttle_rate >= 1 && var.throttle_rate <= 10000
    error_message = "throttle_rate is between 1 and 10000, which is an account's quota."
  }
}

variable "throttle_burst" {
  description = "Webhooks that pass at once: a large matrix announces all its jobs in one second."
  type        = number
  default     = 1000

  validation {
    condition     = var.throttle_burst >= 1 && var.throttle_burst <= 5000
    error_message = "throttle_burst is between 1 and 5000, which is an account's quota."
  }
}

variable "events" {
  description = "The EC2 events that reach the queue: interruption-warning, rebalance-recommendation, state-change. The controller acts on the first; each other one costs its messages and changes nothing."
  type        = set(string)
  default     = ["interruption-warning"]

  validation {
    condition     = contains(var.events, "interruption-warning")
    error_message = "events must hold interruption-warning: it is the proof of an interruption."
  }

  validation {
    condition     = length(setsubtract(var.events, ["interruption-warning", "rebalance-recommendation", "state-change"])) == 0
    error_message = "events knows interruption-warning, rebalance-recommendation and state-change."
  }
}

variable "operator_role_arns" {
  description = "Roles that may send to the queues beside their one source: those of people who redrive dead letters. For the queue of EC2's events that is trust, as what is in it is believed."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.operator_role_arns : can(regex("^arn:[a-z-]+:iam::\\d{12}:role/[^*?]+$", arn))])
    error_message = "operator_role_arns holds ARNs of roles, without wildcards."
  }
}

variable "log_retention_days" {
  description = "How long the access log is kept."
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
