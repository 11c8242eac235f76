terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "issue_alias_arn" {
  description = "The output IssueAliasArn of the stack of reltio-tokens, or the alias that the operator named"
  type        = string
}

variable "caller_policy_arn" {
  description = "The output CallerPolicyArn of the stack of reltio-tokens"
  type        = string
}

variable "connection" {
  description = "The name of the connection"
  type        = string
}

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "integration" {
  name               = "integration"
  assume_role_policy = data.aws_iam_policy_document.lambda.json
}

resource "aws_iam_role_policy_attachment" "logs" {
  role       = aws_iam_role.integration.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_iam_role_policy_attachment" "issue" {
  role       = aws_iam_role.integration.name
  policy_arn = var.caller_policy_arn
}

resource "aws_lambda_function" "integration" {
  function_name = "integration"
  role          = aws_iam_role.integration.arn
  runtime       = "python3.13"
  architectures = ["arm64"]
  handler       = "app.handler"
  filename      = "integration.zip" # app.py, and what pip install -t puts beside it: reltio-tokens
  timeout       = 120               # a call for a token takes a minute at most

  environment {
    variables = {
      RELTIO_TOKENS_FUNCTION = var.issue_alias_arn
      RELTIO_CONNECTION      = var.connection
    }
  }
}
