package firewall

// Numbers of linux/netfilter/nf_tables.h, as far as they are used here.
const (
	msgNewTable   = 0
	msgGetTable   = 1
	msgNewChain   = 3
	msgGetChain   = 4
	msgNewRule    = 6
	msgGetRule    = 7
	msgNewSet     = 9
	msgGetSet     = 10
	msgNewElement = 12
	msgGetElement = 13
	msgNewObject  = 18
	msgGetObject  = 19

	attrTableName  = 1
	attrTableFlags = 2

	attrChainTable, attrChainName, attrChainHook, attrChainPolicy, attrChainType = 1, 3, 4, 5, 7
	attrHookNumber, attrHookPriority                                             = 1, 2
	attrRuleTable, attrRuleChain, attrRuleHandle, attrRuleExprs                  = 1, 2, 3, 4
	attrSetTable, attrSetName, attrSetFlags, attrSetKeyLen, attrSetDataType      = 1, 2, 3, 5, 6
	attrListTable, attrListSet, attrListElements                                 = 1, 2, 3
	attrElementKey, attrElementData, attrElementFlags, attrElementKeyEnd         = 1, 2, 3, 10
	attrDataValue, attrDataVerdict                                               = 1, 2
	attrVerdictCode, attrVerdictChain                                            = 1, 2
	attrExprName, attrExprData                                                   = 1, 2
	attrTargetName, attrTargetRev, attrTargetInfo                                = 1, 2, 3 // and of matches

	flagTableOwner                   = 2
	flagSetInterval, flagSetEval     = 4, 0x20
	flagElementEnd, flagElementCatch = 1, 2
	dataTypeVerdict                  = 0xffffff00
	registerVerdict                  = 0
	verdictContinue, verdictReturn   = -1, -5
	verdictJump, verdictGoto         = -3, -4
	verdictDrop, verdictAccept       = 0, 1
	verdictQueue                     = 3
	stateInvalid, stateEstablished   = 1, 2
	stateRelated, stateNew           = 4, 8
	stateUntracked                   = 64
	statusDNAT                       = 1 << 5
	objectLimit, objectConnlimit     = 4, 5
	addrTypeUnicast                  = 1 // RTN_UNICAST
	lookupInverted, limitInverted    = 1, 1
	protoTCP, protoUDP               = 6, 17
)
