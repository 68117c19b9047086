name     = "production"
vpc_id   = "vpc-0123456789abcdef0"
image_id = "ami-0123456789abcdef0"
