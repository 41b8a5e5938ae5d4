namespace Kvorum.Kv;

/// <summary>Numbers of commands in the log. Stable, never reused.</summary>
public enum CommandKind : byte
{
    Put = 1,
    Append = 2,
    DeleteRange = 3,
    Txn = 4,
    Compact = 5,
    ExpireSessions = 6,
    LeaseGrant = 7,
    LeaseRenew = 8,
    LeaseRevoke = 9,
    LeaseExpire = 10,
}

/// <summary>Bits of a command's flags byte; which bits a kind may carry is in docs/formats.md.</summary>
[Flags]
internal enum CommandFlags : byte
{
    None = 0,

    /// <summary>A session stamp follows the envelope's three fixed bytes.</summary>
    Session = 1,

    ReturnPrevious = 2,

    /// <summary>A lease id stands first in the body.</summary>
    Lease = 4,

    /// <summary>Put: the value that the key has is written again.</summary>
    KeepsValue = 8,

    /// <summary>Put: the key stays on the lease that it has.</summary>
    KeepsLease = 16,
}
