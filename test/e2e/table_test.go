package e2e_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// item reads an item as a role with access to the table would.
func (w *world) item(t *testing.T, key string) map[string]types.AttributeValue {
	t.Helper()
	out, err := w.DynamoDB.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(w.Table.Name), ConsistentRead: aws.Bool(true), Key: keyed(key),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

func keyed(key string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: key}}
}

// ms is a time as the table has it.
func ms(at time.Time) int64 { return at.UnixMilli() }

// set writes one attribute of an item.
func (w *world) set(t *testing.T, key, attribute string, value any) {
	t.Helper()
	_, err := w.DynamoDB.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(w.Table.Name), Key: keyed(key),
		UpdateExpression:          aws.String("SET #a = :v"),
		ExpressionAttributeNames:  map[string]string{"#a": attribute},
		ExpressionAttributeValues: map[string]types.AttributeValue{":v": attributeOf(value)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// put writes a whole item.
func (w *world) put(t *testing.T, key string, attributes map[string]any) {
	t.Helper()
	item := keyed(key)
	for name, value := range attributes {
		item[name] = attributeOf(value)
	}
	_, err := w.DynamoDB.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(w.Table.Name), Item: item})
	if err != nil {
		t.Fatal(err)
	}
}

func attributeOf(value any) types.AttributeValue {
	switch v := value.(type) {
	case string:
		return &types.AttributeValueMemberS{Value: v}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	default:
		return &types.AttributeValueMemberN{Value: fmt.Sprint(v)}
	}
}

// number is an attribute's value; 0 if it is none.
func number(value types.AttributeValue) int64 {
	if n, ok := value.(*types.AttributeValueMemberN); ok {
		i, _ := strconv.ParseInt(n.Value, 10, 64)
		return i
	}
	return 0
}

// str is an attribute's value; empty if it is no S.
func str(value types.AttributeValue) string {
	if s, ok := value.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}
