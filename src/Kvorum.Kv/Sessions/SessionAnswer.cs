namespace Kvorum.Kv;

/// <summary>What the session table says about a command before it runs.</summary>
internal enum SessionAnswer
{
    /// <summary>Not seen before: run it, then record its answer.</summary>
    Run,

    /// <summary>Decided already, or refused: the result is the answer.</summary>
    Answered,
}
