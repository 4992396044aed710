package messages_test

import (
	"errors"
	"fmt"

	"bandwidthworker/messages"
)

// A request is decoded by its kind, which stands in its subject, and then checked.
func ExampleDecode() {
	for _, body := range []string{
		`{"request_id":"crm-1042","numbers":["+19195551234"]}`,
		`{"request_id":"crm-1043","number":"+19195551234"}`,
		`{"request_id":"crm-1044","numbers":["919-555-1234"]}`,
	} {
		r, err := messages.Decode(messages.Provision, []byte(body))
		if err == nil {
			err = r.Validate(messages.Provision)
		}
		var refused *messages.RequestError
		if errors.As(err, &refused) {
			fmt.Println(refused.Reason, refused.Field, "-", refused)
			continue
		}
		fmt.Println("good:", r.RequestID, r.Numbers, "less is taken:", r.AllowsPartial())
	}
	// Output:
	// good: crm-1042 [+19195551234] less is taken: true
	// malformed number - number: there is no such field
	// invalid numbers - numbers: the 1st, "919-555-1234", is not a telephone number in E.164 such as +19195551234
}

// The key of an order follows from prefix, tenant and request id: whoever knows them can follow its events.
func ExampleNames_Key() {
	names, err := messages.NewNames(messages.DefaultPrefix)
	if err != nil {
		fmt.Println(err)
		return
	}
	k := names.Key("acme", "crm-1042")
	fmt.Println(k)
	fmt.Println(names.Event(messages.Provision, messages.Completed, "acme", k))
	// Output:
	// ikgwauvoer62lrvvq32t
	// bandwidth.v1.event.provision.completed.acme.ikgwauvoer62lrvvq32t
}

// An event that is repeated carries the same id, so a consumer can drop what it has seen.
func ExampleEventID() {
	fmt.Println(messages.EventID("ikgwauvoer62lrvvq32t", 1, messages.Submitted, 1))
	fmt.Println(messages.EventID("ikgwauvoer62lrvvq32t", 1, messages.Completed, 0))
	// Output:
	// ikgwauvoer62lrvvq32t.1.submitted.1
	// ikgwauvoer62lrvvq32t.1.completed
}
