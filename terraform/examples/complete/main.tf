# A fleet of runners on EC2 Spot, and the controllers that launch it and bring its jobs back.

provider "aws" {
  region = var.region

  default_tags {
    tags = { stack = var.name }
  }
}

module "ingress" {
  source = "../../modules/ingress"

  name = var.name
}

module "state" {
  source = "../../modules/state"

  table_name = var.name
}

module "runner" {
  source = "../../modules/runner"

  name       = var.name
  vpc_id     = var.vpc_id
  image_id   = var.runner_image_id
  table_name = "${var.name}-runners"
}

# For `reprise interrupt`: it costs nothing until it is used.
module "drill" {
  source = "../../modules/drill"

  name = var.name
}

module "controller" {
  source = "../../modules/controller"

  name                 = var.name
  image                = var.controller_image
  image_repository_arn = var.controller_repository_arn
  vpc_id               = var.vpc_id
  subnets              = var.controller_subnets
  queues               = module.ingress.queues
  alarm_topic_arns     = var.alarm_topic_arns

  github = {
    app_id             = var.github_app_id
    private_key_arn    = var.github_private_key_arn
    webhook_secret_arn = var.github_webhook_secret_arn
    repositories       = var.github_repositories
  }

  ledger = {
    name = module.state.table_name
    arn  = module.state.table_arn
  }

  fleet = {
    launch_template_id = module.runner.launch_template_id
    role_arn           = module.runner.role_arn
    role_id            = module.runner.role_id
    table_name         = module.runner.table_name
    security_group_id  = module.runner.security_group_id
    subnets            = var.runner_subnets
  }
}
