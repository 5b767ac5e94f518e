// Package health judges whether a running sluice carries traffic, and could carry
// more, from facts that others have found.
//
//	            reactors turn   keeper lives   serving   rules effective   room left
//	Live   /healthz    x             x
//	Ready  /readyz     x             x            x             x               x
//
// Who is not live had better be restarted; who is not ready gets no new traffic, where
// somebody can choose. Rules count where this sluice has installed them: of others' it
// knows nothing.
//
// Each cause is a sentence for an operator: what is so, and where there is one, the
// remedy.
package health
