namespace Kvorum.Raft;

/// <summary>What an entry's payload is. Stable numbers: they are on disk and on the wire, never reused.</summary>
public enum EntryKind : byte
{
    /// <summary>Empty; a leader appends one at the start of its term (paper §8).</summary>
    NoOp = 1,

    /// <summary>A command of the state machine; opaque to consensus.</summary>
    Command = 2,

    /// <summary>A membership (voters and learners) that is in force from its append on (thesis §4.1).</summary>
    Membership = 3,
}

/// <summary>A place in the log with its content.</summary>
/// <param name="Id">Term and index.</param>
/// <param name="Kind">How to read <paramref name="Payload"/>.</param>
/// <param name="Payload">
/// A slice of a shared buffer (a whole batch), never changed after creation; it stays valid as long as it is
/// referenced.
/// </param>
public readonly record struct LogEntry(EntryId Id, EntryKind Kind, ReadOnlyMemory<byte> Payload)
{
    public Term Term => Id.Term;

    public LogIndex Index => Id.Index;
}

/// <summary>What must survive a crash beside the log (paper Fig. 2, persistent state).</summary>
/// <param name="Term">The latest term this replica has seen.</param>
/// <param name="VotedFor">Whom it voted for in that term; null for nobody.</param>
public readonly record struct HardState(Term Term, NodeId? VotedFor);
