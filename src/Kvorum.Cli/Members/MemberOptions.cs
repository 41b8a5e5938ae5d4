using System.CommandLine;
using System.Text.Json;
using Kvorum.Cli.Client;
using Kvorum.Cli.Serve;

namespace Kvorum.Cli.Members;

/// <summary>What the commands about members share: endpoints, dry run, waiting, output.</summary>
internal sealed class MemberOptions
{
    private const string JsonFormat = "json";

    private readonly Option<bool> _dryRun = new("--dry-run")
    {
        Description = "Only tell which quorum would result, and why it would be refused. Exit code 1 when it would be.",
    };

    private readonly Option<bool> _wait = new("--wait")
    {
        Description = "Wait until it is done; '--wait false' returns when the change is accepted.",
        DefaultValueFactory = _ => true,
    };

    private readonly Option<string?> _waitTimeout = new("--wait-timeout")
    {
        Description = "How long to wait, such as 30s or 5m. [default: 60s]",
        HelpName = "TIME",
    };

    private readonly Option<string> _output = new("--output")
    {
        Description = "text, or json: one document.",
        HelpName = "FORMAT",
        DefaultValueFactory = _ => "text",
    };

    public MemberOptions() => _output.AcceptOnlyFromAmong("text", JsonFormat);

    public ClientOptions Client { get; } = new();

    public void AddTo(Command command, bool isChange = true)
    {
        if (isChange)
        {
            command.Add(_dryRun);
            command.Add(_wait);
            command.Add(_waitTimeout);
        }

        command.Add(_output);
        Client.AddTo(command);
    }

    public bool IsJson(ParseResult parsed) => parsed.GetRequiredValue(_output) == JsonFormat;

    public bool IsDryRun(ParseResult parsed) => parsed.GetValue(_dryRun);

    public MemberCalls Calls(ParseResult parsed, ClusterClient cluster)
    {
        WaitLimit(parsed); // A wrong one is told before anything is changed.
        return new(cluster, Client.Endpoints(parsed), Client.Timeout(parsed));
    }

    public MemberWait Wait(ParseResult parsed, MemberCalls calls) => new(calls, WaitLimit(parsed));

    private TimeSpan WaitLimit(ParseResult parsed)
    {
        var text = parsed.GetValue(_waitTimeout) ?? "60s";
        try
        {
            return SettingText.Duration(text, 1, 86_400_000);
        }
        catch (FormatException e)
        {
            throw new UsageException($"--wait-timeout: expected {e.Message}, found '{text}'.");
        }
    }

    /// <summary>Waits when asked to, and prints what came of it.</summary>
    /// <param name="wait">The membership afterwards; null when there is nothing to wait for.</param>
    public async Task<int> FinishAsync(
        ParseResult parsed, byte[] answer, string accepted, Func<Task<byte[]>>? wait, string done)
    {
        if (IsDryRun(parsed))
        {
            return PrintDryRun(parsed, answer);
        }

        var isWaiting = wait is not null && parsed.GetValue(_wait);
        if (isWaiting && !IsJson(parsed))
        {
            await Console.Error.WriteLineAsync(accepted).ConfigureAwait(false);
        }

        var after = isWaiting && wait is not null ? await wait().ConfigureAwait(false) : null;
        if (IsJson(parsed))
        {
            Console.WriteLine(ChangeText.Json(answer, after));
            return ExitCode.Done;
        }

        Console.WriteLine(after is null ? accepted : done);
        Console.WriteLine($"Now: {ChangeText.Voters(MembersReport.Parse(after ?? answer))}.");
        return ExitCode.Done;
    }

    private int PrintDryRun(ParseResult parsed, byte[] answer)
    {
        using var document = JsonDocument.Parse(answer);
        var root = document.RootElement;
        var refusal = root.TryGetProperty("refusal", out var text) ? text.GetString() : null;
        if (IsJson(parsed))
        {
            Console.WriteLine(ChangeText.Json(answer, membersAfter: null));
        }
        else
        {
            Console.WriteLine(refusal is null ? "It would be allowed." : $"It would be refused: {refusal}");
            Console.WriteLine($"Now: {ChangeText.Voters(MembersReport.Parse(answer))}.");
            if (root.TryGetProperty("votersAfter", out _))
            {
                Console.WriteLine($"Then: {ChangeText.Plan(root)}.");
            }
        }

        return refusal is null ? ExitCode.Done : ExitCode.Failed;
    }
}
