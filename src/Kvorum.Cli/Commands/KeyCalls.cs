using Kvorum.Cli.Client;

namespace Kvorum.Cli.Commands;

/// <summary>What put, get, append and del share.</summary>
internal static class KeyCalls
{
    private const int NotFoundStatus = 404;

    public static string PathOf(string key) => $"/v1/kv/{ClusterClient.Segment(Required(key))}";

    public static string Required(string key) =>
        key.Length > 0 ? key : throw new UsageException("KEY: expected at least one character, found ''.");

    /// <summary>Ends the command unless the node did as asked.</summary>
    public static void Demand(Answer answer)
    {
        if (answer.Status == NotFoundStatus)
        {
            throw new CommandFailedException(ExitCode.NotFound, "The key does not exist.");
        }

        if (!answer.IsSuccess)
        {
            throw new CommandFailedException(ExitCode.Failed, ClusterClient.TextOf(answer));
        }
    }
}
