# Makes in moto what the stack $stack has beside its table and its secrets, for the
# commands of the runbook.
key=$(aws kms create-key --tags "TagKey=aws:cloudformation:stack-name,TagValue=$stack" --query KeyMetadata.Arn --output text)
aws kms create-alias --alias-name "alias/$stack" --target-key-id "$key"
queue=$(aws --endpoint-url "$AWS_ENDPOINT_URL" sqs create-queue --queue-name "$stack-failures" --query QueueUrl --output text)
aws dynamodb create-table --table-name "$stack-Table-1" --billing-mode PAY_PER_REQUEST --attribute-definitions AttributeName=pk,AttributeType=S --key-schema AttributeName=pk,KeyType=HASH --query TableDescription.TableName --output text
role=$(aws iam create-role --role-name "$stack" --assume-role-policy-document '{}' --query Role.Arn --output text)
printf nothing > bootstrap && python3 -m zipfile -c code.zip bootstrap
aws lambda create-function --function-name "$stack-rotate" --runtime provided.al2023 --handler bootstrap --role "$role" --zip-file fileb://code.zip --publish --query Version --output text
aws lambda create-alias --function-name "$stack-rotate" --name live --function-version 1 --query AliasArn --output text
for architecture in arm64 x86-64; do
  aws lambda publish-layer-version --layer-name "$stack-extension-$architecture" --zip-file fileb://code.zip --query Version --output text
done
for alarm in issue-failing waiting; do
  aws cloudwatch put-metric-alarm --alarm-name "$stack-$alarm" --namespace n --metric-name m --statistic Sum --period 60 --evaluation-periods 1 --threshold 1 --comparison-operator GreaterThanThreshold
done
aws logs create-log-group --log-group-name "/aws/lambda/$stack-rotate"
# The outputs that the test's CloudFormation does not know yet.
printf '%s\n%s\n' "$key" "$queue" > made
