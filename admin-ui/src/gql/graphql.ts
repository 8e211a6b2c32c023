/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** Input for `acceptAssignment`. */
export type AcceptAssignmentInput = {
  /** Assignment to accept. */
  assignmentId: string;
  /** Client-generated key that makes retries safe, 1 to 200 characters: a repeat with the same input changes nothing, returns what the first request changed as it is now, and is named in `extensions.replayed`; a repeat with other input is refused. Kept for at least 24 hours. The header `Idempotency-Key` can carry it instead. */
  idempotencyKey?: string | null | undefined;
};

/** Input for `assignTicket`. */
export type AssignTicketInput = {
  /** Engineer to assign; must be active. */
  engineerId: string;
  /** Highest assignment sequence of the ticket that you have seen, 0 if none; refused if it is stale. */
  expectedSequence?: number | null | undefined;
  /** Client-generated key that makes retries safe, 1 to 200 characters: a repeat with the same input changes nothing, returns what the first request changed as it is now, and is named in `extensions.replayed`; a repeat with other input is refused. Kept for at least 24 hours. The header `Idempotency-Key` can carry it instead. */
  idempotencyKey?: string | null | undefined;
  /** Why this engineer was chosen. At most 4000 characters. */
  reason?: string | null | undefined;
  /** Ticket to assign. */
  ticketId: string;
  /** Support tier, 1 OEM to 5 Hospital. By default the ticket's `nextTier`. */
  tier?: number | null | undefined;
  /** Name of the tier if yours differs from the standard one. At most 200 characters. */
  tierName?: string | null | undefined;
  /**
   * Must be MANUAL: the type follows from who acts.
   * @deprecated The type follows from who acts. Supported until 2027-12-31.
   */
  type?: AssignmentType | null | undefined;
};

/** Status of an assignment. ASSIGNED, ACCEPTED and IN_PROGRESS are active; the others are final. */
export type AssignmentStatus =
  /** The engineer accepted and has not started work. */
  | 'ACCEPTED'
  /** The engineer has not responded yet. */
  | 'ASSIGNED'
  /** The assignment was cancelled, or the ticket reassigned. */
  | 'CANCELLED'
  /** The work ended with success, or another visit is necessary. */
  | 'COMPLETED'
  /** The ticket was escalated to a higher tier. */
  | 'ESCALATED'
  /** The work ended without success. */
  | 'FAILED'
  /** The engineer is working. */
  | 'IN_PROGRESS'
  /** The engineer rejected the assignment. */
  | 'REJECTED';

/** How an assignment was created. */
export type AssignmentType =
  /** A rule chose the engineer. */
  | 'AUTO'
  /** The ticket was escalated from a lower tier. */
  | 'ESCALATION'
  /** A person chose the engineer. */
  | 'MANUAL'
  /** The ticket was reassigned within the tier. */
  | 'REASSIGNMENT';

/** Input for `cancelAssignment`. */
export type CancelAssignmentInput = {
  /** What was done. At most 4000 characters. */
  actionsTaken?: string | null | undefined;
  /** Assignment to cancel. */
  assignmentId: string;
  /** What was wrong, as far as it is known. At most 4000 characters. */
  diagnosis?: string | null | undefined;
  /** Client-generated key that makes retries safe, 1 to 200 characters: a repeat with the same input changes nothing, returns what the first request changed as it is now, and is named in `extensions.replayed`; a repeat with other input is refused. Kept for at least 24 hours. The header `Idempotency-Key` can carry it instead. */
  idempotencyKey?: string | null | undefined;
  /** Parts used, at most 100. */
  partsUsed?: Array<PartUsedInput> | null | undefined;
  /** Why it is cancelled. At most 4000 characters. */
  reason: string;
  /** Hours worked in the assignment that ends, 0 to 999.99, at most two decimal places. */
  timeSpentHours?: string | null | undefined;
};

/** Input for `completeAssignment`. */
export type CompleteAssignmentInput = {
  /** What was done. At most 4000 characters. */
  actionsTaken?: string | null | undefined;
  /** Assignment to complete. */
  assignmentId: string;
  /** Outcome of the work. ESCALATED is refused: use `escalateTicket`. */
  completionStatus: CompletionStatus;
  /** What was wrong. At most 4000 characters. */
  diagnosis?: string | null | undefined;
  /** Client-generated key that makes retries safe, 1 to 200 characters: a repeat with the same input changes nothing, returns what the first request changed as it is now, and is named in `extensions.replayed`; a repeat with other input is refused. Kept for at least 24 hours. The header `Idempotency-Key` can carry it instead. */
  idempotencyKey?: string | null | undefined;
  /** Other notes. At most 4000 characters. */
  notes?: string | null | undefined;
  /** Parts used, at most 100. */
  partsUsed?: Array<PartUsedInput> | null | undefined;
  /** Hours worked, 0 to 999.99, at most two decimal places. */
  timeSpentHours: string;
};

/** Outcome of an assignment. */
export type CompletionStatus =
  /** The customer was unavailable; the ticket is on hold. */
  | 'CUSTOMER_UNAVAILABLE'
  /** Escalated to a higher tier; set only by `escalateTicket`. */
  | 'ESCALATED'
  /** The repair failed; the ticket needs another engineer. */
  | 'FAILED'
  /** Parts were missing; the ticket is on hold. */
  | 'PARTS_REQUIRED'
  /** The fault was repaired; the ticket is resolved. */
  | 'SUCCESS';

/** Input for `correctTimeSpent`. */
export type CorrectTimeSpentInput = {
  /** Assignment to correct; it must have ended. */
  assignmentId: string;
  /** Client-generated key that makes retries safe, 1 to 200 characters: a repeat with the same input changes nothing, returns what the first request changed as it is now, and is named in `extensions.replayed`; a repeat with other input is refused. Kept for at least 24 hours. The header `Idempotency-Key` can carry it instead. */
  idempotencyKey?: string | null | undefined;
  /** Why the hours are corrected. At most 4000 characters. */
  reason: string;
  /** Hours worked, 0 to 999.99, at most two decimal places. They must differ from the current ones. */
  timeSpentHours: string;
};

/** Input for `escalateTicket`. */
export type EscalateTicketInput = {
  /** What was done. At most 4000 characters. */
  actionsTaken?: string | null | undefined;
  /** What was wrong, as far as it is known. At most 4000 characters. */
  diagnosis?: string | null | undefined;
  /** Highest assignment sequence of the ticket that you have seen, 0 if none; refused if it is stale. */
  expectedSequence?: number | null | undefined;
  /** Client-generated key that makes retries safe, 1 to 200 characters: a repeat with the same input changes nothing, returns what the first request changed as it is now, and is named in `extensions.replayed`; a repeat with other input is refused. Kept for at least 24 hours. The header `Idempotency-Key` can carry it instead. */
  idempotencyKey?: string | null | undefined;
  /** Engineer to assign; must be active, and a member of the next tier if an engineer escalates. By default the least busy member of the lowest tier from the next one on that has any; if none has, the ticket becomes NEW, and its `nextTier` is the next tier. */
  nextEngineerId?: string | null | undefined;
  /** Tier to escalate to, higher than the current one; the next tier by default. */
  nextTier?: number | null | undefined;
  /** Name of the tier if yours differs from the standard one. At most 200 characters. */
  nextTierName?: string | null | undefined;
  /** Parts used, at most 100. */
  partsUsed?: Array<PartUsedInput> | null | undefined;
  /** Why the ticket is escalated; stored with both assignments. At most 4000 characters. */
  reason: string;
  /** Ticket to escalate. */
  ticketId: string;
  /** Hours worked in the assignment that ends, 0 to 999.99, at most two decimal places. */
  timeSpentHours?: string | null | undefined;
};

/** A spare part that was installed. */
export type PartUsedInput = {
  /** Price of one piece, 0 to 9999999.99 with at most two decimals. */
  cost: string;
  /** Name of the part, 1 to 200 characters. */
  partName: string;
  /** The manufacturer's part number, 1 to 200 characters. */
  partNumber: string;
  /** Number of pieces, 1 to 10000. */
  quantity: number;
};

/** Input for `rateAssignment`. */
export type RateAssignmentInput = {
  /** Assignment to rate. */
  assignmentId: string;
  /** The customer's comment. At most 4000 characters. */
  feedback?: string | null | undefined;
  /** Client-generated key that makes retries safe, 1 to 200 characters: a repeat with the same input changes nothing, returns what the first request changed as it is now, and is named in `extensions.replayed`; a repeat with other input is refused. Kept for at least 24 hours. The header `Idempotency-Key` can carry it instead. */
  idempotencyKey?: string | null | undefined;
  /** Rating from 1, worst, to 5, best. */
  rating: number;
};

/** Input for `reassignTicket`. */
export type ReassignTicketInput = {
  /** What was done. At most 4000 characters. */
  actionsTaken?: string | null | undefined;
  /** What was wrong, as far as it is known. At most 4000 characters. */
  diagnosis?: string | null | undefined;
  /** Engineer to assign; must be active. */
  engineerId: string;
  /** Highest assignment sequence of the ticket that you have seen, 0 if none; refused if it is stale. */
  expectedSequence?: number | null | undefined;
  /** Client-generated key that makes retries safe, 1 to 200 characters: a repeat with the same input changes nothing, returns what the first request changed as it is now, and is named in `extensions.replayed`; a repeat with other input is refused. Kept for at least 24 hours. The header `Idempotency-Key` can carry it instead. */
  idempotencyKey?: string | null | undefined;
  /** Parts used, at most 100. */
  partsUsed?: Array<PartUsedInput> | null | undefined;
  /** Why the ticket is reassigned; stored with both assignments. At most 4000 characters. */
  reason: string;
  /** Ticket to reassign. */
  ticketId: string;
  /** Hours worked in the assignment that ends, 0 to 999.99, at most two decimal places. */
  timeSpentHours?: string | null | undefined;
};

/** Input for `rejectAssignment`. */
export type RejectAssignmentInput = {
  /** What was done. At most 4000 characters. */
  actionsTaken?: string | null | undefined;
  /** Assignment to reject. */
  assignmentId: string;
  /** What was wrong, as far as it is known. At most 4000 characters. */
  diagnosis?: string | null | undefined;
  /** Client-generated key that makes retries safe, 1 to 200 characters: a repeat with the same input changes nothing, returns what the first request changed as it is now, and is named in `extensions.replayed`; a repeat with other input is refused. Kept for at least 24 hours. The header `Idempotency-Key` can carry it instead. */
  idempotencyKey?: string | null | undefined;
  /** Parts used, at most 100. */
  partsUsed?: Array<PartUsedInput> | null | undefined;
  /** Why it is rejected. At most 4000 characters. */
  reason: string;
  /** Hours worked in the assignment that ends, 0 to 999.99, at most two decimal places. */
  timeSpentHours?: string | null | undefined;
};

/** Role of a user. */
export type Role =
  /** May read and change everything. */
  | 'ADMIN'
  /** May read everything and change nothing. */
  | 'AUDITOR'
  /** May read everything, and change everything except hourly rates. */
  | 'DISPATCHER'
  /** May read, accept, reject, start and complete their own assignments. */
  | 'ENGINEER';

/** Input for `startAssignment`. */
export type StartAssignmentInput = {
  /** Assignment to start. */
  assignmentId: string;
  /** Client-generated key that makes retries safe, 1 to 200 characters: a repeat with the same input changes nothing, returns what the first request changed as it is now, and is named in `extensions.replayed`; a repeat with other input is refused. Kept for at least 24 hours. The header `Idempotency-Key` can carry it instead. */
  idempotencyKey?: string | null | undefined;
};

/** Conditions on assignments and tickets. All given conditions must match. */
export type StatisticsFilter = {
  /** Only tickets of the customer with exactly this name. */
  customer?: string | null | undefined;
  /** Only assignments of this engineer. */
  engineerId?: string | null | undefined;
  /** Only equipment with exactly this model name. */
  equipmentModel?: string | null | undefined;
  /** Only assignments at this support tier, 1 to 5. */
  tier?: number | null | undefined;
};

/** Length of the intervals of a series. */
export type StatisticsInterval =
  /** Days, from midnight to midnight. */
  | 'DAY'
  /** Calendar months. */
  | 'MONTH'
  /** Weeks, from Monday to Sunday. */
  | 'WEEK';

/** Conditions on tickets. All given conditions must match. */
export type TicketFilter = {
  /** Only tickets that are currently assigned to this engineer. */
  engineerId?: string | null | undefined;
  /** Only tickets with one of these priorities. */
  priority?: Array<TicketPriority> | null | undefined;
  /** Text contained in the ticket number, the customer's name or the issue category, ignoring case and the kind of white space. At most 200 characters. */
  search?: string | null | undefined;
  /** Only tickets with one of these statuses. */
  status?: Array<TicketStatus> | null | undefined;
  /** Only tickets with a current assignment at this support tier, 1 to 5. */
  tier?: number | null | undefined;
  /** True: only tickets without a current assignment; without `status`, only open ones. False: only tickets with a current assignment. */
  unassigned?: boolean | null | undefined;
};

/** Urgency of a ticket. */
export type TicketPriority =
  /** Patients are at risk. */
  | 'CRITICAL'
  /** The equipment is out of service. */
  | 'HIGH'
  /** The repair can wait. */
  | 'LOW'
  /** The equipment works with restrictions. */
  | 'MEDIUM';

/** Status of a ticket. Tickets that are resolved, closed or cancelled cannot be assigned. */
export type TicketStatus =
  /** Assigned to an engineer who has not started work. */
  | 'ASSIGNED'
  /** The ticket was withdrawn. */
  | 'CANCELLED'
  /** The ticket was closed after its work was done. */
  | 'CLOSED'
  /** An engineer is working on the ticket. */
  | 'IN_PROGRESS'
  /** Not assigned; the ticket needs an engineer. */
  | 'NEW'
  /** Another visit is necessary; parts or the customer were unavailable. */
  | 'ON_HOLD'
  /** The fault was repaired. */
  | 'RESOLVED';

export type SignInEngineersQueryVariables = Exact<{ [key: string]: never; }>;


export type SignInEngineersQuery = { engineers: { nodes: Array<{ id: string, name: string, isActive: boolean, activeAssignments: number }> } };

export type StatisticsQueryVariables = Exact<{
  from: string;
  to: string;
  filter: StatisticsFilter;
  interval: StatisticsInterval;
  timeZone: string;
}>;


export type StatisticsQuery = { statistics: { tickets: { tickets: number, escalated: number, escalatedShare: string | null, averageEscalations: string | null, byEscalations: Array<{ escalations: number, tickets: number }> }, escalations: Array<{ fromTier: number, toTier: number | null, manual: number, automatic: number }>, engineers: { totalCount: number, nodes: Array<{ assignments: number, accepted: number, meanSecondsToAccept: string | null, completed: number, failed: number, rejected: number, reassigned: number, cancelled: number, escalatedFromManually: number, escalatedFromAutomatically: number, escalatedToManually: number, escalatedToAutomatically: number, timeSpentHours: string, engineer: { id: string, name: string } }> }, timeToAccept: { counted: number, leftOut: number, meanSeconds: string | null, p50Seconds: string | null, p95Seconds: string | null }, timeToResolve: { counted: number, leftOut: number, meanSeconds: string | null, p50Seconds: string | null, p95Seconds: string | null }, outcomes: Array<{ status: AssignmentStatus, completionStatus: CompletionStatus | null, assignments: number }>, rejections: Array<{ reason: string | null, assignments: number }>, timeByTier: Array<{ tier: number, assignments: number, timeSpentHours: string }>, timeByEquipmentModel: { totalCount: number, nodes: Array<{ name: string | null, assignments: number, timeSpentHours: string }> }, timeByCustomer: { totalCount: number, nodes: Array<{ name: string | null, assignments: number, timeSpentHours: string }> }, series: Array<{ start: string, tickets: number, assignments: number, escalations: number, completed: number, timeSpentHours: string }> } };

export type DurationSummaryFragment = { counted: number, leftOut: number, meanSeconds: string | null, p50Seconds: string | null, p95Seconds: string | null };

export type TimeSpentFragment = { totalCount: number, nodes: Array<{ name: string | null, assignments: number, timeSpentHours: string }> };

export type AssignmentDetailFragment = { id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } };

export type TicketRowFragment = { id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { id: string, name: string } | null, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null };

export type TicketDetailFragment = { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null };

export type JobFragment = { id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, ticket: { id: string, ticketNumber: string, priority: TicketPriority, customerName: string | null, issueCategory: string | null, issueDescription: string | null, equipment: { id: string, name: string, serialNumber: string | null, manufacturer: string | null, model: string | null } | null }, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } };

export type AssignmentResultFragment = { id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } };

type RefusalResult_AlreadyInUse_Fragment = { message: string };

type RefusalResult_AssignmentNotFound_Fragment = { message: string };

type RefusalResult_EngineerInactive_Fragment = { message: string };

type RefusalResult_EngineerNotFound_Fragment = { message: string };

type RefusalResult_EquipmentNotFound_Fragment = { message: string };

type RefusalResult_Forbidden_Fragment = { message: string };

type RefusalResult_IdempotencyKeyReused_Fragment = { message: string };

type RefusalResult_InvalidInput_Fragment = { field: string, problem: string, message: string };

type RefusalResult_NoCurrentAssignment_Fragment = { message: string };

type RefusalResult_NoHigherTier_Fragment = { message: string };

type RefusalResult_ReopenWindowOver_Fragment = { message: string };

type RefusalResult_SameEngineer_Fragment = { message: string };

type RefusalResult_StaleSequence_Fragment = { message: string };

type RefusalResult_StaleVersion_Fragment = { message: string };

type RefusalResult_TicketAlreadyAssigned_Fragment = { message: string };

type RefusalResult_TicketChangeRejected_Fragment = { message: string };

type RefusalResult_TicketNotFound_Fragment = { message: string };

type RefusalResult_TicketNotOpen_Fragment = { message: string };

type RefusalResult_TicketTransitionNotAllowed_Fragment = { message: string };

type RefusalResult_TierNotHigher_Fragment = { message: string };

type RefusalResult_TransitionNotAllowed_Fragment = { message: string };

export type RefusalResultFragment =
  | RefusalResult_AlreadyInUse_Fragment
  | RefusalResult_AssignmentNotFound_Fragment
  | RefusalResult_EngineerInactive_Fragment
  | RefusalResult_EngineerNotFound_Fragment
  | RefusalResult_EquipmentNotFound_Fragment
  | RefusalResult_Forbidden_Fragment
  | RefusalResult_IdempotencyKeyReused_Fragment
  | RefusalResult_InvalidInput_Fragment
  | RefusalResult_NoCurrentAssignment_Fragment
  | RefusalResult_NoHigherTier_Fragment
  | RefusalResult_ReopenWindowOver_Fragment
  | RefusalResult_SameEngineer_Fragment
  | RefusalResult_StaleSequence_Fragment
  | RefusalResult_StaleVersion_Fragment
  | RefusalResult_TicketAlreadyAssigned_Fragment
  | RefusalResult_TicketChangeRejected_Fragment
  | RefusalResult_TicketNotFound_Fragment
  | RefusalResult_TicketNotOpen_Fragment
  | RefusalResult_TicketTransitionNotAllowed_Fragment
  | RefusalResult_TierNotHigher_Fragment
  | RefusalResult_TransitionNotAllowed_Fragment
;

export type ViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type ViewerQuery = { viewer: { subject: string, role: Role, engineer: { id: string, name: string } | null } };

export type TicketsQueryVariables = Exact<{
  filter: TicketFilter;
  after?: string | null | undefined;
}>;


export type TicketsQuery = { tickets: { totalCount: number, pageInfo: { endCursor: string | null, hasNextPage: boolean }, nodes: Array<{ id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { id: string, name: string } | null, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null }> } };

export type TicketQueryVariables = Exact<{
  id: string;
}>;


export type TicketQuery = { ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } | null };

export type EngineersQueryVariables = Exact<{
  after?: string | null | undefined;
}>;


export type EngineersQuery = { engineers: { pageInfo: { endCursor: string | null, hasNextPage: boolean }, nodes: Array<{ id: string, name: string, level: number, region: string | null, skills: Array<string>, isActive: boolean, activeAssignments: number }> } };

export type SuggestEngineersQueryVariables = Exact<{
  ticketId: string;
  tier?: number | null | undefined;
}>;


export type SuggestEngineersQuery = { suggestEngineers: Array<{ matchingSkills: Array<string>, sameRegion: boolean, engineer: { id: string, name: string, level: number, region: string | null, skills: Array<string>, isActive: boolean, activeAssignments: number } }> | null };

export type EngineerDetailFragment = { id: string, name: string, level: number, region: string | null, skills: Array<string>, isActive: boolean, activeAssignments: number };

export type MyWorkQueryVariables = Exact<{ [key: string]: never; }>;


export type MyWorkQuery = { viewer: { subject: string, engineer: { id: string, name: string, assignments: { nodes: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, ticket: { id: string, ticketNumber: string, priority: TicketPriority, customerName: string | null, issueCategory: string | null, issueDescription: string | null, equipment: { id: string, name: string, serialNumber: string | null, manufacturer: string | null, model: string | null } | null }, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }> } } | null } };

export type AssignTicketMutationVariables = Exact<{
  input: AssignTicketInput;
}>;


export type AssignTicketMutation = { result:
    | { __typename: 'Assignment', id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } }
    | { __typename: 'EngineerInactive', message: string }
    | { __typename: 'EngineerNotFound', message: string }
    | { __typename: 'Forbidden', message: string }
    | { __typename: 'IdempotencyKeyReused', message: string }
    | { __typename: 'InvalidInput', field: string, problem: string, message: string }
    | { __typename: 'StaleSequence', message: string }
    | { __typename: 'TicketAlreadyAssigned', message: string }
    | { __typename: 'TicketChangeRejected', message: string }
    | { __typename: 'TicketNotFound', message: string }
    | { __typename: 'TicketNotOpen', message: string }
   };

export type EscalateTicketMutationVariables = Exact<{
  input: EscalateTicketInput;
}>;


export type EscalateTicketMutation = { result:
    | { __typename: 'Assignment', id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } }
    | { __typename: 'EngineerInactive', message: string }
    | { __typename: 'EngineerNotFound', message: string }
    | { __typename: 'Forbidden', message: string }
    | { __typename: 'IdempotencyKeyReused', message: string }
    | { __typename: 'InvalidInput', field: string, problem: string, message: string }
    | { __typename: 'NoCurrentAssignment', message: string }
    | { __typename: 'NoHigherTier', message: string }
    | { __typename: 'SameEngineer', message: string }
    | { __typename: 'StaleSequence', message: string }
    | { __typename: 'TicketChangeRejected', message: string }
    | { __typename: 'TicketNotFound', message: string }
    | { __typename: 'TicketNotOpen', message: string }
    | { __typename: 'TierNotHigher', message: string }
   };

export type ReassignTicketMutationVariables = Exact<{
  input: ReassignTicketInput;
}>;


export type ReassignTicketMutation = { result:
    | { __typename: 'Assignment', id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } }
    | { __typename: 'EngineerInactive', message: string }
    | { __typename: 'EngineerNotFound', message: string }
    | { __typename: 'Forbidden', message: string }
    | { __typename: 'IdempotencyKeyReused', message: string }
    | { __typename: 'InvalidInput', field: string, problem: string, message: string }
    | { __typename: 'NoCurrentAssignment', message: string }
    | { __typename: 'SameEngineer', message: string }
    | { __typename: 'StaleSequence', message: string }
    | { __typename: 'TicketChangeRejected', message: string }
    | { __typename: 'TicketNotFound', message: string }
    | { __typename: 'TicketNotOpen', message: string }
   };

export type AcceptAssignmentMutationVariables = Exact<{
  input: AcceptAssignmentInput;
}>;


export type AcceptAssignmentMutation = { result:
    | { __typename: 'Assignment', id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } }
    | { __typename: 'AssignmentNotFound', message: string }
    | { __typename: 'Forbidden', message: string }
    | { __typename: 'IdempotencyKeyReused', message: string }
    | { __typename: 'InvalidInput', field: string, problem: string, message: string }
    | { __typename: 'TicketChangeRejected', message: string }
    | { __typename: 'TransitionNotAllowed', message: string }
   };

export type RejectAssignmentMutationVariables = Exact<{
  input: RejectAssignmentInput;
}>;


export type RejectAssignmentMutation = { result:
    | { __typename: 'Assignment', id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } }
    | { __typename: 'AssignmentNotFound', message: string }
    | { __typename: 'Forbidden', message: string }
    | { __typename: 'IdempotencyKeyReused', message: string }
    | { __typename: 'InvalidInput', field: string, problem: string, message: string }
    | { __typename: 'TicketChangeRejected', message: string }
    | { __typename: 'TransitionNotAllowed', message: string }
   };

export type StartAssignmentMutationVariables = Exact<{
  input: StartAssignmentInput;
}>;


export type StartAssignmentMutation = { result:
    | { __typename: 'Assignment', id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } }
    | { __typename: 'AssignmentNotFound', message: string }
    | { __typename: 'Forbidden', message: string }
    | { __typename: 'IdempotencyKeyReused', message: string }
    | { __typename: 'InvalidInput', field: string, problem: string, message: string }
    | { __typename: 'TicketChangeRejected', message: string }
    | { __typename: 'TransitionNotAllowed', message: string }
   };

export type CompleteAssignmentMutationVariables = Exact<{
  input: CompleteAssignmentInput;
}>;


export type CompleteAssignmentMutation = { result:
    | { __typename: 'Assignment', id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } }
    | { __typename: 'AssignmentNotFound', message: string }
    | { __typename: 'Forbidden', message: string }
    | { __typename: 'IdempotencyKeyReused', message: string }
    | { __typename: 'InvalidInput', field: string, problem: string, message: string }
    | { __typename: 'TicketChangeRejected', message: string }
    | { __typename: 'TransitionNotAllowed', message: string }
   };

export type CancelAssignmentMutationVariables = Exact<{
  input: CancelAssignmentInput;
}>;


export type CancelAssignmentMutation = { result:
    | { __typename: 'Assignment', id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } }
    | { __typename: 'AssignmentNotFound', message: string }
    | { __typename: 'Forbidden', message: string }
    | { __typename: 'IdempotencyKeyReused', message: string }
    | { __typename: 'InvalidInput', field: string, problem: string, message: string }
    | { __typename: 'TicketChangeRejected', message: string }
    | { __typename: 'TransitionNotAllowed', message: string }
   };

export type CorrectTimeSpentMutationVariables = Exact<{
  input: CorrectTimeSpentInput;
}>;


export type CorrectTimeSpentMutation = { result:
    | { __typename: 'Assignment', id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } }
    | { __typename: 'AssignmentNotFound', message: string }
    | { __typename: 'Forbidden', message: string }
    | { __typename: 'IdempotencyKeyReused', message: string }
    | { __typename: 'InvalidInput', field: string, problem: string, message: string }
    | { __typename: 'TicketChangeRejected', message: string }
    | { __typename: 'TransitionNotAllowed', message: string }
   };

export type RateAssignmentMutationVariables = Exact<{
  input: RateAssignmentInput;
}>;


export type RateAssignmentMutation = { result:
    | { __typename: 'Assignment', id: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } }
    | { __typename: 'AssignmentNotFound', message: string }
    | { __typename: 'Forbidden', message: string }
    | { __typename: 'IdempotencyKeyReused', message: string }
    | { __typename: 'InvalidInput', field: string, problem: string, message: string }
    | { __typename: 'TicketChangeRejected', message: string }
    | { __typename: 'TransitionNotAllowed', message: string }
   };

export type AssignmentEventsSubscriptionVariables = Exact<{
  afterCursor?: string | null | undefined;
}>;


export type AssignmentEventsSubscription = { assignmentEvents: { cursor: string, ticket: { issueDescription: string | null, resolvedAt: string | null, totalTimeSpentHours: string, id: string, ticketNumber: string, status: TicketStatus, priority: TicketPriority, customerName: string | null, issueCategory: string | null, createdAt: string, updatedAt: string, escalationCount: number, equipment: { serialNumber: string | null, manufacturer: string | null, model: string | null, category: string | null, id: string, name: string } | null, timeByEngineer: Array<{ timeSpentHours: string, assignments: number, engineer: { id: string, name: string } }>, assignmentHistory: Array<{ id: string, assignmentSequence: number, assignmentTier: number, assignmentTierName: string, assignmentReason: string | null, assignmentType: AssignmentType, status: AssignmentStatus, isCurrent: boolean, assignedBy: string | null, assignedAt: string, acceptedAt: string | null, rejectedAt: string | null, startedAt: string | null, completedAt: string | null, rejectionReason: string | null, escalationReason: string | null, cancellationReason: string | null, completionStatus: CompletionStatus | null, timeSpentHours: string | null, diagnosis: string | null, actionsTaken: string | null, notes: string | null, customerRating: number | null, customerFeedback: string | null, partsUsed: Array<{ partNumber: string, partName: string, quantity: number, cost: string }>, engineer: { id: string, name: string } }>, currentAssignment: { id: string, status: AssignmentStatus, assignmentTierName: string, engineer: { id: string, name: string } } | null } } };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const DurationSummaryFragmentDoc = new TypedDocumentString(`
    fragment DurationSummary on Durations {
  counted
  leftOut
  meanSeconds
  p50Seconds
  p95Seconds
}
    `, {"fragmentName":"DurationSummary"}) as unknown as TypedDocumentString<DurationSummaryFragment, unknown>;
export const TimeSpentFragmentDoc = new TypedDocumentString(`
    fragment TimeSpent on TimeSpentConnection {
  totalCount
  nodes {
    name
    assignments
    timeSpentHours
  }
}
    `, {"fragmentName":"TimeSpent"}) as unknown as TypedDocumentString<TimeSpentFragment, unknown>;
export const AssignmentDetailFragmentDoc = new TypedDocumentString(`
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
    `, {"fragmentName":"AssignmentDetail"}) as unknown as TypedDocumentString<AssignmentDetailFragment, unknown>;
export const JobFragmentDoc = new TypedDocumentString(`
    fragment Job on Assignment {
  ...AssignmentDetail
  ticket {
    id
    ticketNumber
    priority
    customerName
    issueCategory
    issueDescription
    equipment {
      id
      name
      serialNumber
      manufacturer
      model
    }
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}`, {"fragmentName":"Job"}) as unknown as TypedDocumentString<JobFragment, unknown>;
export const TicketRowFragmentDoc = new TypedDocumentString(`
    fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
    `, {"fragmentName":"TicketRow"}) as unknown as TypedDocumentString<TicketRowFragment, unknown>;
export const TicketDetailFragmentDoc = new TypedDocumentString(`
    fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}`, {"fragmentName":"TicketDetail"}) as unknown as TypedDocumentString<TicketDetailFragment, unknown>;
export const AssignmentResultFragmentDoc = new TypedDocumentString(`
    fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}`, {"fragmentName":"AssignmentResult"}) as unknown as TypedDocumentString<AssignmentResultFragment, unknown>;
export const RefusalResultFragmentDoc = new TypedDocumentString(`
    fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}
    `, {"fragmentName":"RefusalResult"}) as unknown as TypedDocumentString<RefusalResultFragment, unknown>;
export const EngineerDetailFragmentDoc = new TypedDocumentString(`
    fragment EngineerDetail on Engineer {
  id
  name
  level
  region
  skills
  isActive
  activeAssignments
}
    `, {"fragmentName":"EngineerDetail"}) as unknown as TypedDocumentString<EngineerDetailFragment, unknown>;
export const SignInEngineersDocument = new TypedDocumentString(`
    query SignInEngineers {
  engineers(first: 100) {
    nodes {
      id
      name
      isActive
      activeAssignments
    }
  }
}
    `, {"hash":"sha256:4efb85c7e794a1b9312fae27eedcc1554d2f7d963ff9010c4d4bdba1e6225a3f"}) as unknown as TypedDocumentString<SignInEngineersQuery, SignInEngineersQueryVariables>;
export const StatisticsDocument = new TypedDocumentString(`
    query Statistics($from: DateTime!, $to: DateTime!, $filter: StatisticsFilter!, $interval: StatisticsInterval!, $timeZone: String!) {
  statistics(from: $from, to: $to, filter: $filter) {
    tickets {
      tickets
      escalated
      escalatedShare
      averageEscalations
      byEscalations {
        escalations
        tickets
      }
    }
    escalations {
      fromTier
      toTier
      manual
      automatic
    }
    engineers(first: 100) {
      totalCount
      nodes {
        engineer {
          id
          name
        }
        assignments
        accepted
        meanSecondsToAccept
        completed
        failed
        rejected
        reassigned
        cancelled
        escalatedFromManually
        escalatedFromAutomatically
        escalatedToManually
        escalatedToAutomatically
        timeSpentHours
      }
    }
    timeToAccept {
      ...DurationSummary
    }
    timeToResolve {
      ...DurationSummary
    }
    outcomes {
      status
      completionStatus
      assignments
    }
    rejections {
      reason
      assignments
    }
    timeByTier {
      tier
      assignments
      timeSpentHours
    }
    timeByEquipmentModel(first: 100) {
      ...TimeSpent
    }
    timeByCustomer(first: 100) {
      ...TimeSpent
    }
    series(interval: $interval, timeZone: $timeZone) {
      start
      tickets
      assignments
      escalations
      completed
      timeSpentHours
    }
  }
}
    fragment DurationSummary on Durations {
  counted
  leftOut
  meanSeconds
  p50Seconds
  p95Seconds
}
fragment TimeSpent on TimeSpentConnection {
  totalCount
  nodes {
    name
    assignments
    timeSpentHours
  }
}`, {"hash":"sha256:236f2e9be9c132884d4c419f85f41092cf1a9e119a84aeac2c2372fbfa86ce94"}) as unknown as TypedDocumentString<StatisticsQuery, StatisticsQueryVariables>;
export const ViewerDocument = new TypedDocumentString(`
    query Viewer {
  viewer {
    subject
    role
    engineer {
      id
      name
    }
  }
}
    `, {"hash":"sha256:118261a889ed0aefe2f965da22a1b71fbb9e5bc3c75428ccea49c60f8a4cc925"}) as unknown as TypedDocumentString<ViewerQuery, ViewerQueryVariables>;
export const TicketsDocument = new TypedDocumentString(`
    query Tickets($filter: TicketFilter!, $after: String) {
  tickets(filter: $filter, first: 25, after: $after) {
    totalCount
    pageInfo {
      endCursor
      hasNextPage
    }
    nodes {
      ...TicketRow
    }
  }
}
    fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}`, {"hash":"sha256:5a0685e6f5ed7926b161a94e5fcf8b5c0d62758d57dfa7a0db69b321b1bcb661"}) as unknown as TypedDocumentString<TicketsQuery, TicketsQueryVariables>;
export const TicketDocument = new TypedDocumentString(`
    query Ticket($id: ID!) {
  ticket(id: $id) {
    ...TicketDetail
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}`, {"hash":"sha256:ee2c2c264853f9395f4019ba6482ef390ea0acaa96918de0869edfdf54126107"}) as unknown as TypedDocumentString<TicketQuery, TicketQueryVariables>;
export const EngineersDocument = new TypedDocumentString(`
    query Engineers($after: String) {
  engineers(first: 100, after: $after) {
    pageInfo {
      endCursor
      hasNextPage
    }
    nodes {
      ...EngineerDetail
    }
  }
}
    fragment EngineerDetail on Engineer {
  id
  name
  level
  region
  skills
  isActive
  activeAssignments
}`, {"hash":"sha256:1ae337f9e6887857e659357477ee209b91914c3153aa6dec907060dda7a37d04"}) as unknown as TypedDocumentString<EngineersQuery, EngineersQueryVariables>;
export const SuggestEngineersDocument = new TypedDocumentString(`
    query SuggestEngineers($ticketId: ID!, $tier: Int) {
  suggestEngineers(ticketId: $ticketId, tier: $tier) {
    matchingSkills
    sameRegion
    engineer {
      ...EngineerDetail
    }
  }
}
    fragment EngineerDetail on Engineer {
  id
  name
  level
  region
  skills
  isActive
  activeAssignments
}`, {"hash":"sha256:711bf131646f86c60f1a48bcf1af86992fda3d4d39238723da73143f5c1a5901"}) as unknown as TypedDocumentString<SuggestEngineersQuery, SuggestEngineersQueryVariables>;
export const MyWorkDocument = new TypedDocumentString(`
    query MyWork {
  viewer {
    subject
    engineer {
      id
      name
      assignments(status: [ASSIGNED, ACCEPTED, IN_PROGRESS], first: 50) {
        nodes {
          ...Job
        }
      }
    }
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment Job on Assignment {
  ...AssignmentDetail
  ticket {
    id
    ticketNumber
    priority
    customerName
    issueCategory
    issueDescription
    equipment {
      id
      name
      serialNumber
      manufacturer
      model
    }
  }
}`, {"hash":"sha256:e412778d2f2d879edc7173ce28a76e0a7256aa3cdfc83a017c856b588af46758"}) as unknown as TypedDocumentString<MyWorkQuery, MyWorkQueryVariables>;
export const AssignTicketDocument = new TypedDocumentString(`
    mutation AssignTicket($input: AssignTicketInput!) {
  result: assignTicket(input: $input) {
    __typename
    ...AssignmentResult
    ...RefusalResult
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}`, {"hash":"sha256:e7a4ea891dcf36319e7cfa9d6cb79cc399d04a5c0264907f9a34a2952e32bd21"}) as unknown as TypedDocumentString<AssignTicketMutation, AssignTicketMutationVariables>;
export const EscalateTicketDocument = new TypedDocumentString(`
    mutation EscalateTicket($input: EscalateTicketInput!) {
  result: escalateTicket(input: $input) {
    __typename
    ...AssignmentResult
    ...RefusalResult
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}`, {"hash":"sha256:9091066045b21c6a071a5e5f7366aaaa5bc273a222734dea326caa7afee83b8a"}) as unknown as TypedDocumentString<EscalateTicketMutation, EscalateTicketMutationVariables>;
export const ReassignTicketDocument = new TypedDocumentString(`
    mutation ReassignTicket($input: ReassignTicketInput!) {
  result: reassignTicket(input: $input) {
    __typename
    ...AssignmentResult
    ...RefusalResult
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}`, {"hash":"sha256:81495b915439a4d1036f63f93a3275a740ff407042cfb9f8b5da27624d985ca6"}) as unknown as TypedDocumentString<ReassignTicketMutation, ReassignTicketMutationVariables>;
export const AcceptAssignmentDocument = new TypedDocumentString(`
    mutation AcceptAssignment($input: AcceptAssignmentInput!) {
  result: acceptAssignment(input: $input) {
    __typename
    ...AssignmentResult
    ...RefusalResult
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}`, {"hash":"sha256:49b208661d87b60fabaa8d999cc5d0a3c2f9bcf82c5be3e305a3fd52d2364556"}) as unknown as TypedDocumentString<AcceptAssignmentMutation, AcceptAssignmentMutationVariables>;
export const RejectAssignmentDocument = new TypedDocumentString(`
    mutation RejectAssignment($input: RejectAssignmentInput!) {
  result: rejectAssignment(input: $input) {
    __typename
    ...AssignmentResult
    ...RefusalResult
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}`, {"hash":"sha256:6442ecbdbe263f95012aeedb1ad92cf0d6f4b336a2693bec2bbcf8bcd80619f8"}) as unknown as TypedDocumentString<RejectAssignmentMutation, RejectAssignmentMutationVariables>;
export const StartAssignmentDocument = new TypedDocumentString(`
    mutation StartAssignment($input: StartAssignmentInput!) {
  result: startAssignment(input: $input) {
    __typename
    ...AssignmentResult
    ...RefusalResult
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}`, {"hash":"sha256:1800a559a4462ac96e539a595f0d2b797fb2334f8968a3a8a7014f725ac9b82e"}) as unknown as TypedDocumentString<StartAssignmentMutation, StartAssignmentMutationVariables>;
export const CompleteAssignmentDocument = new TypedDocumentString(`
    mutation CompleteAssignment($input: CompleteAssignmentInput!) {
  result: completeAssignment(input: $input) {
    __typename
    ...AssignmentResult
    ...RefusalResult
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}`, {"hash":"sha256:d63d96d017f95befaa3df21963647a8bf548ad7948984fe0b62b23d9ebd701e2"}) as unknown as TypedDocumentString<CompleteAssignmentMutation, CompleteAssignmentMutationVariables>;
export const CancelAssignmentDocument = new TypedDocumentString(`
    mutation CancelAssignment($input: CancelAssignmentInput!) {
  result: cancelAssignment(input: $input) {
    __typename
    ...AssignmentResult
    ...RefusalResult
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}`, {"hash":"sha256:ae2610584a184aaf3b06e3c1c15914eb52bbfa3343d31d61ab93283e3ddd2579"}) as unknown as TypedDocumentString<CancelAssignmentMutation, CancelAssignmentMutationVariables>;
export const CorrectTimeSpentDocument = new TypedDocumentString(`
    mutation CorrectTimeSpent($input: CorrectTimeSpentInput!) {
  result: correctTimeSpent(input: $input) {
    __typename
    ...AssignmentResult
    ...RefusalResult
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}`, {"hash":"sha256:b94682df4b869e2ed55dffb71c36cde5989ce194bc5ee73ef4ba17a5308ec476"}) as unknown as TypedDocumentString<CorrectTimeSpentMutation, CorrectTimeSpentMutationVariables>;
export const RateAssignmentDocument = new TypedDocumentString(`
    mutation RateAssignment($input: RateAssignmentInput!) {
  result: rateAssignment(input: $input) {
    __typename
    ...AssignmentResult
    ...RefusalResult
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}
fragment AssignmentResult on Assignment {
  id
  ticket {
    ...TicketDetail
  }
}
fragment RefusalResult on Refusal {
  message
  ... on InvalidInput {
    field
    problem
  }
}`, {"hash":"sha256:b02212444de8f50ef9e39c264f43420a4f262ae004aac6081241bdd406731a71"}) as unknown as TypedDocumentString<RateAssignmentMutation, RateAssignmentMutationVariables>;
export const AssignmentEventsDocument = new TypedDocumentString(`
    subscription AssignmentEvents($afterCursor: String) {
  assignmentEvents(afterCursor: $afterCursor) {
    cursor
    ticket {
      ...TicketDetail
    }
  }
}
    fragment AssignmentDetail on Assignment {
  id
  assignmentSequence
  assignmentTier
  assignmentTierName
  assignmentReason
  assignmentType
  status
  isCurrent
  assignedBy
  assignedAt
  acceptedAt
  rejectedAt
  startedAt
  completedAt
  rejectionReason
  escalationReason
  cancellationReason
  completionStatus
  timeSpentHours
  diagnosis
  actionsTaken
  notes
  customerRating
  customerFeedback
  partsUsed {
    partNumber
    partName
    quantity
    cost
  }
  engineer {
    id
    name
  }
}
fragment TicketRow on Ticket {
  id
  ticketNumber
  status
  priority
  customerName
  issueCategory
  createdAt
  updatedAt
  escalationCount
  equipment {
    id
    name
  }
  currentAssignment {
    id
    status
    assignmentTierName
    engineer {
      id
      name
    }
  }
}
fragment TicketDetail on Ticket {
  ...TicketRow
  issueDescription
  resolvedAt
  totalTimeSpentHours
  equipment {
    serialNumber
    manufacturer
    model
    category
  }
  timeByEngineer {
    timeSpentHours
    assignments
    engineer {
      id
      name
    }
  }
  assignmentHistory {
    ...AssignmentDetail
  }
}`, {"hash":"sha256:8872362336381ada50168f96281809f78271b7ded9f750f6c7bc5b7838a962c2"}) as unknown as TypedDocumentString<AssignmentEventsSubscription, AssignmentEventsSubscriptionVariables>;