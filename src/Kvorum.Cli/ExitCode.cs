namespace Kvorum.Cli;

/// <summary>What the process ends with; docs/cli.md has the same table.</summary>
internal static class ExitCode
{
    /// <summary>Done as asked.</summary>
    public const int Done = 0;

    /// <summary>Refused or impossible: a busy port, a directory in use, a request the node rejects.</summary>
    public const int Failed = 1;

    /// <summary>The command line, a setting or the settings file is wrong; nothing was tried.</summary>
    public const int Usage = 2;

    /// <summary>The key does not exist.</summary>
    public const int NotFound = 3;

    /// <summary>No endpoint could serve the request in time; nothing was changed.</summary>
    public const int Unavailable = 4;

    /// <summary>A write was sent and no answer came: it may or may not have been applied.</summary>
    public const int OutcomeUnknown = 5;

    /// <summary>The node stopped by itself (a failed sync, a broken invariant), or a bug in this program.</summary>
    public const int Broken = 70;
}
