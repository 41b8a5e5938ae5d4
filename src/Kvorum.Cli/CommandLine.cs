using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Kvorum.Cli;

/// <summary>How every command is parsed, helped, run and ended.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(RootCommand root, string[] args)
    {
        ShowExamplesInHelp(root);
        // Values may start with '@': no response files. Nothing asked for is a question what there is.
        var parsed = root.Parse(args.Length == 0 ? ["--help"] : args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction and not HelpWithExamples)
        {
            return ReportUsage(parsed);
        }

        // The commands watch signals themselves: serve and up need longer than a fixed time to stop well.
        var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
        try
        {
            return await parsed.InvokeAsync(invocation).ConfigureAwait(false);
        }
        catch (UsageException e)
        {
            await Console.Error.WriteLineAsync(e.Message).ConfigureAwait(false);
            return ExitCode.Usage;
        }
        catch (CommandFailedException e)
        {
            await Console.Error.WriteLineAsync(e.Message).ConfigureAwait(false);
            return e.Code;
        }
#pragma warning disable CA1031 // The outermost edge: whatever comes here is a bug, and has a code of its own.
        catch (Exception e)
#pragma warning restore CA1031
        {
            await Console.Error.WriteLineAsync($"kvorum: a bug, please report it: {e}").ConfigureAwait(false);
            return ExitCode.Broken;
        }
    }

    private static int ReportUsage(ParseResult parsed)
    {
        foreach (var message in parsed.Errors.Select(error => error.Message).Distinct())
        {
            Console.Error.WriteLine(message);
        }

        var command = parsed.CommandResult.Command;
        var path = PathOf(command);
        Console.Error.WriteLine($"Try '{path} --help'.");
        return ExitCode.Usage;
    }

    private static string PathOf(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent && command is not RootCommand
            ? $"{PathOf(parent)} {command.Name}"
            : "kvorum";

    private static void ShowExamplesInHelp(RootCommand root)
    {
        foreach (var option in root.Options)
        {
            if (option is HelpOption { Action: HelpAction inner } help)
            {
                help.Action = new HelpWithExamples(inner);
            }
        }
    }

    /// <summary>The usual help, followed by the examples and exit codes of the command.</summary>
    private sealed class HelpWithExamples(HelpAction inner) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var result = inner.Invoke(parseResult);
            var output = parseResult.InvocationConfiguration.Output;
            if (Help.ExamplesOf(parseResult.CommandResult.Command) is { } examples)
            {
                output.WriteLine("Examples:");
                foreach (var example in examples)
                {
                    output.WriteLine($"  {example}");
                }

                output.WriteLine();
            }

            output.WriteLine(Help.ExitCodes);
            return result;
        }
    }
}

/// <summary>The user asked for something that cannot be understood; nothing was tried.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>A command that ends with a message and a code of <see cref="ExitCode"/>.</summary>
internal sealed class CommandFailedException(int code, string message) : Exception(message)
{
    public int Code { get; } = code;
}
