namespace Kvorum.Node;

/// <summary>An expected failure a caller can act on. Bugs are not of this type: they stop the replica.</summary>
public abstract class KvorumException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Whether the request had no effect for sure, so that sending it again cannot apply it twice.</summary>
    public abstract bool IsSafeToRetry { get; }
}

/// <summary>No leader was known within the time allowed; nothing was proposed.</summary>
public sealed class NoLeaderException()
    : KvorumException("No leader is known: the cluster has no quorum, or an election is under way. Nothing was proposed.")
{
    public override bool IsSafeToRetry => true;
}

/// <summary>A queue is full; nothing was proposed.</summary>
public sealed class OverloadedException(string what)
    : KvorumException($"Overloaded: {what} is full. Nothing was proposed; retry later.")
{
    public override bool IsSafeToRetry => true;
}

/// <summary>The leader's disk has no room for more of the log; nothing was proposed. Reads go on.</summary>
public sealed class DiskFullException()
    : KvorumException("The leader's disk is full: no room for more of the log. Nothing was proposed; free some space.")
{
    public override bool IsSafeToRetry => true;
}

/// <summary>The command was proposed and its fate is not known: it may still be applied.</summary>
public sealed class OutcomeUnknownException(string why)
    : KvorumException($"The outcome is unknown: {why}. The command may still be applied.")
{
    public override bool IsSafeToRetry => false;
}

/// <summary>The command was proposed but another leader's entry took its place: it had no effect.</summary>
public sealed class ProposalDroppedException()
    : KvorumException("A change of leader dropped the proposal before it was committed. It had no effect.")
{
    public override bool IsSafeToRetry => true;
}

/// <summary>A linearizable read could not be confirmed in time.</summary>
public sealed class ReadTimeoutException()
    : KvorumException("The read could not be confirmed by a quorum in time. Nothing was changed.")
{
    public override bool IsSafeToRetry => true;
}

/// <summary>This node is shutting down or has stopped; nothing was proposed.</summary>
public sealed class NodeStoppedException(string reason)
    : KvorumException($"The node has stopped: {reason}")
{
    public override bool IsSafeToRetry => true;
}

/// <summary>A change of the membership or of the leader is not allowed now; nothing was proposed.</summary>
public sealed class MemberChangeRefusedException(string why)
    : KvorumException($"The change was refused: {why}")
{
    public override bool IsSafeToRetry => true;
}
