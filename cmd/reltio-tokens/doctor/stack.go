package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"github.com/reltio-tokens/reltio-tokens/internal/apierr"
)

// Stack is CloudFormation's description of a stack.
type Stack struct {
	Name string
	// Status is CloudFormation's status.
	Status string
	// Outputs are the values by their keys.
	Outputs map[string]string
	// Parameters are the values with which it was deployed, by their keys.
	Parameters map[string]string
	// Tags are those of the stack, without AWS's own.
	Tags map[string]string
	// Missing are the outputs that it should have and does not.
	Missing []string
}

// KeyARN is the stack's key; "" if it has no such output.
func (s *Stack) KeyARN() string { return s.Outputs["KeyArn"] }

// Describe gets a stack's description from CloudFormation. The stack has to be
// one of Reltio tokens. A failure is an apierr.Error of type StoreUnavailable.
func Describe(ctx context.Context, client *cloudformation.Client, name string) (*Stack, error) {
	out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)})
	if err != nil {
		return nil, apierr.Wrap(apierr.StoreUnavailable, "CloudFormation: "+Reason(err), err)
	}
	if len(out.Stacks) != 1 {
		return nil, apierr.New(apierr.StoreUnavailable, "CloudFormation: there is no such stack")
	}
	s := &Stack{
		Name: aws.ToString(out.Stacks[0].StackName), Status: string(out.Stacks[0].StackStatus),
		Outputs: map[string]string{}, Parameters: map[string]string{}, Tags: map[string]string{},
	}
	for _, tag := range out.Stacks[0].Tags {
		if key := aws.ToString(tag.Key); !strings.HasPrefix(key, "aws:") {
			s.Tags[key] = aws.ToString(tag.Value)
		}
	}
	for _, p := range out.Stacks[0].Parameters {
		s.Parameters[aws.ToString(p.ParameterKey)] = aws.ToString(p.ParameterValue)
	}
	for _, o := range out.Stacks[0].Outputs {
		s.Outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	if s.Outputs["TableName"] == "" {
		return nil, apierr.New(apierr.StoreUnavailable, "CloudFormation: the stack has no output TableName, so it is none of Reltio tokens")
	}
	return s, nil
}

func (e *examination) stack(context.Context) {
	switch {
	case e.AWS == nil:
		e.found("stack", Skipped, "the local stack has none", "")
	case e.AWS.Stack == nil:
		e.found("stack", Skipped, "the names come from flags and the environment", "")
	case len(e.AWS.Stack.Missing) > 0:
		e.found("stack", Failed, e.AWS.Stack.Name+" has no output "+e.AWS.Stack.Missing[0],
			"deploy this release, or look at --stack: another stack has that name")
	case !slices.Contains([]string{"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}, e.AWS.Stack.Status):
		e.found("stack", Warning, e.AWS.Stack.Name+" is "+e.AWS.Stack.Status,
			"look at the stack's events: a deployment is under way, or was rolled back")
	default:
		e.found("stack", OK, e.AWS.Stack.Name+" is "+e.AWS.Stack.Status, "")
	}
}
