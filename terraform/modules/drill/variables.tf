variable "name" {
  description = "The stack's name: only its instances are ever interrupted, and what is made here begins with it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name has 3 to 32 small letters, digits and hyphens; it begins with a letter."
  }
}

variable "tag_prefix" {
  description = "What the keys of all tags begin with: [tags] prefix of the controller, tag_prefix of the agent."
  type        = string
  default     = "runs-on-"
}

variable "tags" {
  description = "Tags of everything that is made here."
  type        = map(string)
  default     = {}
}
