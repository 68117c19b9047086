# The image of a runner: Ubuntu 24.04 with GitHub's runner and the agent.
#
#   cargo xtask dist agent
#   cargo xtask dist job            # for -var checkpoints=true
#   packer init deploy/ami
#   packer build -var region=eu-west-1 -var runner_version=... -var runner_released=... -var runner_sha256=... deploy/ami
#
# The launch template that uses it says InstanceInitiatedShutdownBehavior: terminate, as the agent powers an
# instance off whose runner has ended, and requires IMDSv2.

packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.3.0"
    }
  }
}

variable "region" {
  type = string
}

variable "architecture" {
  type    = string
  default = "x86_64"
  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture is x86_64 or arm64."
  }
}

# Version, date and checksum of the runner's archive for that architecture, from the notes of its release. They have no
# default: GitHub stops giving jobs to old runners.
variable "runner_version" {
  type = string
}

# The controller tells by it how old the runners are (reprise_runner_age_seconds).
variable "runner_released" {
  type = string
  validation {
    condition     = can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", var.runner_released))
    error_message = "The date is that of the runner's release, as 2026-11-01."
  }
}

variable "runner_sha256" {
  type = string
  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.runner_sha256))
    error_message = "The checksum has 64 digits."
  }
}

variable "install_docker" {
  type    = bool
  default = true
}

# Whether jobs find `reprise` on the machine, and a hook saves the checkpoints that they declare (docs/checkpoint.md).
variable "checkpoints" {
  type    = bool
  default = false
}

# The [runner] section of the agent's settings; without a table, the agent only watches.
variable "runner_table" {
  type    = string
  default = ""
}

variable "runner_role_id" {
  type    = string
  default = ""
}

variable "subnet_id" {
  type    = string
  default = null
}

locals {
  debian   = var.architecture == "arm64" ? "arm64" : "amd64"
  machine  = var.architecture == "arm64" ? "c7g.large" : "c7a.large"
  packages = "${path.root}/../../target/dist"
  agent    = "reprise-agent_${local.debian}.deb"
  job      = "reprise-job_${local.debian}.linux"
}

source "amazon-ebs" "runner" {
  region        = var.region
  instance_type = local.machine
  subnet_id     = var.subnet_id
  ssh_username  = "ubuntu"
  ami_name      = "reprise-runner-${var.architecture}-{{timestamp}}"
  imds_support  = "v2.0"

  tags = {
    reprise-runner-version  = var.runner_version
    reprise-runner-released = var.runner_released
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  source_ami_filter {
    owners      = ["099720109477"] # Canonical
    most_recent = true
    filters = {
      name                = "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-${local.debian}-server-*"
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
  }
}

build {
  sources = ["source.amazon-ebs.runner"]

  provisioner "file" {
    sources = concat(["${local.packages}/${local.agent}"], var.checkpoints ? [
      "${local.packages}/${local.job}",
      "${path.root}/../agent/checkpoint/50-checkpoint",
    ] : [])
    destination = "/tmp/"
  }

  provisioner "shell" {
    inline = ["cloud-init status --wait"]
  }

  provisioner "shell" {
    script          = "${path.root}/provision.sh"
    execute_command = "sudo env {{ .Vars }} bash {{ .Path }}"
    environment_vars = [
      "RUNNER_VERSION=${var.runner_version}",
      "RUNNER_SHA256=${var.runner_sha256}",
      "AGENT_PACKAGE=/tmp/${local.agent}",
      "JOB_PROGRAM=${var.checkpoints ? "/tmp/${local.job}" : ""}",
      "CHECKPOINT_HOOK=${var.checkpoints ? "/tmp/50-checkpoint" : ""}",
      "INSTALL_DOCKER=${var.install_docker ? "yes" : "no"}",
      "RUNNER_TABLE=${var.runner_table}",
      "RUNNER_ROLE_ID=${var.runner_role_id}",
    ]
  }
}
