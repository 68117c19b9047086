variable "role_name" {
  description = "The name of the role that the runner instances have."
  type        = string

  validation {
    condition     = can(regex("^[\\w+=,.@-]{1,64}$", var.role_name))
    error_message = "role_name is a role's name, no ARN: at most 64 letters, digits and +=,.@-_."
  }
}

variable "regions" {
  description = "The regions in which the instances run; the provider's own if empty."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for region in var.regions : can(regex("^[a-z]{2}(-[a-z]+)+-\\d$", region))])
    error_message = "regions holds names like eu-west-1."
  }
}

variable "tag_prefix" {
  description = "What the keys of all tags begin with: [tags] prefix of the controller, tag_prefix of the agent."
  type        = string
  default     = "runs-on-"

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9:._-]{0,63}$", var.tag_prefix)) && !startswith(lower(var.tag_prefix), "aws:")
    error_message = "tag_prefix begins with a letter, has at most 64 letters, digits and :._-, and is not aws:."
  }
}

variable "runner_table_arns" {
  description = "The ARNs of the runner tables, of which the instance may read its own row; none where instances bring their runners along."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.runner_table_arns : can(regex("^arn:[a-z-]+:dynamodb:[a-z0-9-]+:\\d{12}:table/[A-Za-z0-9_.-]+$", arn))])
    error_message = "runner_table_arns holds ARNs of DynamoDB tables."
  }
}
