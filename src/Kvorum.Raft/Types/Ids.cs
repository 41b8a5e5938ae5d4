namespace Kvorum.Raft;

/// <summary>One running node of the cluster. Never reused, never 0.</summary>
public readonly record struct NodeId(ulong Value) : IComparable<NodeId>
{
    public int CompareTo(NodeId other) => Value.CompareTo(other.Value);

    public override string ToString() => Value.ToString("x", null);
}

/// <summary>
/// One Raft log and its voters. There is one group today, number 1; every frame and record carries it.
/// </summary>
public readonly record struct GroupId(uint Value)
{
    public override string ToString() => Value.ToString((IFormatProvider?)null);
}

/// <summary>A Raft term (paper §5.1): a logical clock that only rises. 0 before the first election.</summary>
public readonly record struct Term(ulong Value) : IComparable<Term>
{
    public static Term Zero => default;

    public Term Next => new(Value + 1);

    public int CompareTo(Term other) => Value.CompareTo(other.Value);

    public static bool operator <(Term left, Term right) => left.Value < right.Value;

    public static bool operator >(Term left, Term right) => left.Value > right.Value;

    public static bool operator <=(Term left, Term right) => left.Value <= right.Value;

    public static bool operator >=(Term left, Term right) => left.Value >= right.Value;

    public override string ToString() => Value.ToString((IFormatProvider?)null);
}

/// <summary>A place in the log (paper §5.3). The first entry has index 1; 0 stands before the log.</summary>
public readonly record struct LogIndex(ulong Value) : IComparable<LogIndex>
{
    public static LogIndex Zero => default;

    public LogIndex Next => new(Value + 1);

    /// <summary>The index before this one; misuse on index 0.</summary>
    public LogIndex Previous
    {
        get
        {
            Invariant.Holds(Value > 0, "Index 0 has no predecessor.");
            return new LogIndex(Value - 1);
        }
    }

    /// <summary>This index moved forward by <paramref name="count"/> entries.</summary>
    public LogIndex Plus(ulong count) => new(Value + count);

    /// <summary>How many entries lie in (<paramref name="earlier"/>, this]; 0 when this is not later.</summary>
    public ulong CountSince(LogIndex earlier) => Value > earlier.Value ? Value - earlier.Value : 0;

    public static LogIndex Min(LogIndex left, LogIndex right) => left <= right ? left : right;

    public static LogIndex Max(LogIndex left, LogIndex right) => left >= right ? left : right;

    public int CompareTo(LogIndex other) => Value.CompareTo(other.Value);

    public static bool operator <(LogIndex left, LogIndex right) => left.Value < right.Value;

    public static bool operator >(LogIndex left, LogIndex right) => left.Value > right.Value;

    public static bool operator <=(LogIndex left, LogIndex right) => left.Value <= right.Value;

    public static bool operator >=(LogIndex left, LogIndex right) => left.Value >= right.Value;

    public override string ToString() => Value.ToString((IFormatProvider?)null);
}

/// <summary>An entry's identity: two entries with the same term and index are the same entry (paper §5.3).</summary>
public readonly record struct EntryId(Term Term, LogIndex Index)
{
    /// <summary>The place before the first entry.</summary>
    public static EntryId Start => default;

    /// <summary>Whether a log that ends here is at least as up to date as one that ends there (paper §5.4.1).</summary>
    public bool IsAtLeastAsUpToDateAs(EntryId other) =>
        RaftMutants.LogLengthBeforeTerm
            ? Index > other.Index || (Index == other.Index && Term >= other.Term)
            : Term > other.Term || (Term == other.Term && Index >= other.Index);

    public override string ToString() => $"{Term}/{Index}";
}

/// <summary>The number of one durable write that a replica asked for; rises by one per write, 0 = none.</summary>
public readonly record struct WriteId(ulong Value) : IComparable<WriteId>
{
    public static WriteId None => default;

    public int CompareTo(WriteId other) => Value.CompareTo(other.Value);

    public static bool operator <(WriteId left, WriteId right) => left.Value < right.Value;

    public static bool operator >(WriteId left, WriteId right) => left.Value > right.Value;

    public static bool operator <=(WriteId left, WriteId right) => left.Value <= right.Value;

    public static bool operator >=(WriteId left, WriteId right) => left.Value >= right.Value;
}
