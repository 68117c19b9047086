variable "name" {
  description = "The stack's name: what is made here begins with it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name has 3 to 32 small letters, digits and hyphens; it begins with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC of the runners' subnets."
  type        = string

  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "vpc_id is an id like vpc-0123456789abcdef0."
  }
}

variable "image_id" {
  description = "The AMI from which runners start, with the agent and GitHub's runner in it."
  type        = string

  validation {
    condition     = can(regex("^ami-[0-9a-f]{8,17}$", var.image_id))
    error_message = "image_id is an id like ami-0123456789abcdef0."
  }
}

variable "root_device" {
  description = "What the image calls its root device; with another name an instance would get a second volume."
  type        = string
  default     = "/dev/sda1"

  validation {
    condition     = can(regex("^/dev/(sd[a-z][0-9]?|xvda)$", var.root_device))
    error_message = "root_device is a device like /dev/sda1 or /dev/xvda."
  }
}

variable "volume_size" {
  description = "The root volume's size in GiB, where labels ask for no other."
  type        = number
  default     = 40

  validation {
    condition     = var.volume_size >= 8 && var.volume_size <= 16384
    error_message = "volume_size is between 8 and 16384 GiB."
  }
}

variable "user_data" {
  description = "The instances' user data, as text. Every job can read it: no secrets."
  type        = string
  default     = null
}

variable "table_name" {
  description = "The name of the runner table, through which new instances get what their runners start with; null where instances bring their runners along."
  type        = string
  default     = "reprise-runners"

  validation {
    condition     = var.table_name == null || can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table_name))
    error_message = "table_name has 3 to 255 letters, digits and _.-, or is null."
  }
}

variable "more_regions" {
  description = "Further regions in which instances have this role: they may tag themselves there, and read their rows of the runner table of the same name."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for region in var.more_regions : can(regex("^[a-z]{2}(-[a-z]+)+-\\d$", region))])
    error_message = "more_regions holds names like us-east-1."
  }
}

variable "tag_prefix" {
  description = "What the keys of all tags begin with: [tags] prefix of the controller, tag_prefix of the agent."
  type        = string
  default     = "runs-on-"
}

variable "tags" {
  description = "Tags of everything that is made here; instances get theirs from the controller."
  type        = map(string)
  default     = {}
}
