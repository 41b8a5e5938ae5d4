using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>Who a member is and where it is reached; replicated with the membership, opaque to consensus.</summary>
/// <param name="Node">Its id; never 0, never used again after a removal.</param>
/// <param name="Name">For people; unique in the cluster.</param>
/// <param name="PeerUrl">Where peers reach it, e.g. "http://127.0.0.1:2380".</param>
/// <param name="ClientUrls">Where clients reach it; may be empty until the node has told.</param>
public sealed record MemberAddress(ulong Node, string Name, string PeerUrl, IReadOnlyList<string> ClientUrls)
{
    internal static MemberAddress Of(MemberRecord record) =>
        new(record.Node.Value, record.Name, record.PeerUrl, record.ClientUrls);

    internal MemberRecord ToRecord() => new(new NodeId(Node), 0, false, null, Name, PeerUrl, ClientUrls);
}

/// <summary>What may be changed about the membership, one change at a time (thesis ch. 4).</summary>
public enum MemberChangeKind
{
    /// <summary>A new node joins as a learner; it is promoted by itself once it is in sync</summary>
    Add = 1,

    /// <summary>A learner that is in sync becomes a voter.</summary>
    Promote = 2,

    /// <summary>A node leaves; a leader may remove itself and steps down when that is committed.</summary>
    Remove = 3,

    /// <summary>
    /// <see cref="MemberChange.New"/> joins as a learner and, once in sync, takes the place of <see
    /// cref="MemberChange.Node"/> in one joint change: the number of voters never differs. It may be a learner already:
    /// then only its goal changes.
    /// </summary>
    Replace = 4,

    /// <summary>A member's addresses change.</summary>
    Update = 5,
}

/// <summary>A wish to change the membership.</summary>
/// <param name="Node">Whom it concerns; Add: the same as in <paramref name="New"/>.</param>
/// <param name="New">Add, Replace, Update: the member with its addresses; else null.</param>
/// <param name="StaysLearner">Add: never promoted by itself.</param>
public sealed record MemberChange(MemberChangeKind Kind, ulong Node, MemberAddress? New, bool StaysLearner = false)
{
    internal MembershipChange ToRaft() =>
        new((MembershipChangeKind)Kind, new NodeId(Node), New?.ToRecord(), StaysLearner);
}

/// <summary>What a change would come to, or came to.</summary>
/// <param name="Refusal">Null when allowed, else why not and what to do, for a person.</param>
/// <param name="VotersBefore">Ids of the voters now.</param>
/// <param name="VotersAfter">Ids of the voters when the change (and the promotion it leads to) is done.</param>
/// <param name="QuorumAfter">How many of them are a majority.</param>
/// <param name="FailuresToleratedAfter">How many may fail.</param>
public sealed record MemberChangePlan(
    string? Refusal, IReadOnlyList<ulong> VotersBefore, IReadOnlyList<ulong> VotersAfter, int QuorumAfter,
    int FailuresToleratedAfter);
