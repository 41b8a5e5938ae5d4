using System.Diagnostics.CodeAnalysis;

namespace Kvorum.Raft;

/// <summary>Checks that stay on in release builds: a replica that is wrong stops, the others go on.</summary>
public static class Invariant
{
    /// <summary>Stops the replica when <paramref name="condition"/> is false.</summary>
    /// <exception cref="InvariantException">The condition is false: a bug, never an expected failure.</exception>
    public static void Holds([DoesNotReturnIf(false)] bool condition, string rule)
    {
        if (!condition)
        {
            Broken(rule);
        }
    }

    [DoesNotReturn]
    private static void Broken(string rule) => throw new InvariantException(rule);
}

/// <summary>A broken invariant: a bug. Caught only by the replica's outermost loop, which stops the replica.</summary>
public sealed class InvariantException : Exception
{
    public InvariantException()
    {
    }

    public InvariantException(string rule)
        : base(rule)
    {
    }

    public InvariantException(string rule, Exception inner)
        : base(rule, inner)
    {
    }
}
