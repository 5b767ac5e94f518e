package config

import (
	"encoding/json"
	"fmt"
)

// node is a JSON value and the offset at which it begins.
type node struct {
	offset int
	// value is nil, bool, json.Number, string, []node or members.
	value any
}

// members are what an object holds, in the file's order.
type members []member

type member struct {
	key    string
	offset int // of the key
	node   node
}

// String describes the value for "want ..., not ...".
func (n node) String() string {
	switch value := n.value.(type) {
	case string:
		return fmt.Sprintf("%q", value)
	case json.Number:
		return value.String()
	case bool:
		return fmt.Sprint(value)
	case []node:
		return "a list"
	case members:
		return "an object"
	}
	return "null"
}

// elements are the list's, or the value itself as the only one.
func (n node) elements() []node {
	if list, ok := n.value.([]node); ok {
		return list
	}
	return []node{n}
}

func (m members) find(key string) (node, bool) {
	for _, one := range m {
		if one.key == key {
			return one.node, true
		}
	}
	return node{}, false
}
