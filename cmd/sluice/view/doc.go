// Package view turns records into what the control socket says of flows, and tells
// which of them are meant, and in which order.
//
//	api.Query ──► Filter ─┐
//	                      ▼
//	record.Record ──► Best: a heap of the first so many ──► api.FlowPage
//	              └─► Flow ──► api.Flow
//
// Flows pass by in slices and in any order; what is kept of them is one page. The
// next page is of those that come after the last one of this: a flow that ends or
// begins between two pages moves no other one from page to page, but one whose key
// changes meanwhile, as bytes and rates do, may be on both or on none.
//
// Glossary:
//
//   - key: what flows are sorted by. Those with the same one are in the order of
//     their IDs.
//   - cursor: the key and the ID of a page's last flow (api.Query.After).
package view
