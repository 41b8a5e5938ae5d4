using Spectre.Console;

namespace Kvorum.Cli;

/// <summary>
/// Consoles that colour and move the cursor on a terminal only, and never with NO_COLOR (no-color.org).
/// </summary>
internal static class Terminal
{
    /// <summary>Tables are not squeezed below this; a narrower terminal wraps the lines itself.</summary>
    private const int WidthMin = 160;

    public static IAnsiConsole Output() => Create(Console.Out, Console.IsOutputRedirected);

    public static IAnsiConsole Error() => Create(Console.Error, Console.IsErrorRedirected);

    /// <summary>A table with a line of headings and no frame, good to read and to cut into columns.</summary>
    public static Table Table(params string[] headings)
    {
        var table = new Table { Border = TableBorder.None, UseSafeBorder = true };
        foreach (var heading in headings)
        {
            var column = new TableColumn(new Text(heading, new Style(decoration: Decoration.Bold))) { NoWrap = true };
            table.AddColumn(column.PadLeft(0).PadRight(2));
        }

        return table;
    }

    private static IAnsiConsole Create(TextWriter writer, bool isRedirected)
    {
        var isPlain = isRedirected
            || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 }
            || Environment.GetEnvironmentVariable("TERM") is "dumb";
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = isPlain ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = isPlain ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Interactive = isPlain ? InteractionSupport.No : InteractionSupport.Detect,
        });
        console.Profile.Width = Math.Max(isRedirected ? 0 : console.Profile.Width, WidthMin);
        return console;
    }
}
